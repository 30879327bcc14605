import {startEvents} from "./events.js";
import {startFigures} from "./figures.js";
import {startIngest} from "./ingest.js";
import {startKey} from "./key.js";
import {startMaintain} from "./maintain.js";
import {startQuery} from "./query.js";
import {startReads} from "./reads.js";
import {startSettings} from "./settings.js";
import {startTables} from "./tables.js";

startKey();
startFigures();
startQuery();
startMaintain();
startReads();
startIngest();
startEvents();
startTables();
startSettings();
