/* Requests to the server that this page came from. */

/* The answer's JSON whatever its status is: { status, body }. Throws where no answer comes. */
export async function get(path) {
    const answer = await fetch(path, {cache: "no-store"});
    return {status: answer.status, body: await answer.json()};
}
