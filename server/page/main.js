import {startFigures} from "./figures.js";
import {startKey} from "./key.js";
import {startMaintain} from "./maintain.js";
import {startQuery} from "./query.js";

startKey();
startFigures();
startMaintain();
startQuery();
