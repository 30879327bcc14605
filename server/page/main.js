import {get} from "./client.js";

const state = document.getElementById("state");

async function look() {
    try {
        const {status, body} = await get("ready");
        state.textContent = status === 200 ? "ready" : body.message;
    } catch {
        state.textContent = "the server does not answer";
    }
}

look();
setInterval(look, 2000);
