/* Numbers, bytes, durations and times for people. Times are microseconds, as BigInt. */

const PREFIXES = ["", "k", "M", "G", "T", "P", "E"];
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const NEVER = 9223372036854775807n;

/* Three digits that count: 7.25, 72.5, 725. */
function threeDigits(number) {
    const size = Math.abs(number);
    if (size === 0 || size >= 99.95) {
        return number.toFixed(0);
    }
    return number.toFixed(size >= 9.995 ? 1 : 2).replace(/\.?0+$/, "");
}

function scaled(number, step, names) {
    let index = 0;
    let rest = number;
    while (Math.abs(rest) >= step * 0.9995 && index < names.length - 1) {
        rest /= step;
        index++;
    }
    return {number: threeDigits(rest), unit: names[index]};
}

/* As {number, unit}: the page sets the unit smaller. */
export const countParts = (number) => scaled(number, 1000, PREFIXES);
export const bytesParts = (number) => scaled(number, 1024, UNITS);

function joined(parts) {
    return parts.unit === "" ? parts.number : `${parts.number}\u202f${parts.unit}`;
}

export const count = (number) => joined(countParts(number));
export const bytes = (number) => joined(bytesParts(number));
/* Every digit, in groups. */
export const exact = (number) => number.toLocaleString("en-GB").replaceAll(",", "\u202f");
export const plural = (number, one, many = `${one}s`) => `${exact(number)} ${number === 1 ? one : many}`;

/* A short one, of seconds. */
export function span(seconds) {
    const parts = seconds < 1e-3 ? [seconds * 1e6, "µs"]
        : seconds < 1 ? [seconds * 1e3, "ms"]
        : seconds < 120 ? [seconds, "s"]
        : seconds < 7200 ? [seconds / 60, "min"]
        : seconds < 172800 ? [seconds / 3600, "h"]
        : [seconds / 86400, "d"];
    return `${threeDigits(parts[0])}\u202f${parts[1]}`;
}

/* A long one, to the second: 3 d 04:05:06. */
export function clock(seconds) {
    const whole = Math.floor(seconds);
    const two = (number) => String(number).padStart(2, "0");
    const days = Math.floor(whole / 86400);
    const time = [Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60];
    return `${days > 0 ? `${days}\u202fd ` : ""}${time.map(two).join(":")}`;
}

/* ------------------------------------------------------------------------------------ times -- */

/* A date's microseconds below the second are kept apart: Date has milliseconds. */
function splitMicros(us) {
    const micros = ((us % 1000000n) + 1000000n) % 1000000n;
    return {date: new Date(Number((us - micros) / 1000n)), micros};
}

const pad = (number, size = 2) => String(number).padStart(size, "0");

function fraction(micros) {
    const digits = pad(micros, 6);
    return micros === 0n ? "" : micros % 1000n === 0n ? `.${digits.slice(0, 3)}` : `.${digits}`;
}

/* "2014-07-01 08:00:00.25", in the browser's time zone; null where calendars end. */
export function localTime(us) {
    const {date, micros} = splitMicros(us);
    if (Number.isNaN(date.getTime())) {
        return null;
    }
    return `${pad(date.getFullYear(), 4)}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ` +
        `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}${fraction(micros)}`;
}

/* "2014-07-01 08:00". */
export const minute = (us) => localTime(us)?.slice(0, 16) ?? String(us);

/* The time alone where it is today's. */
export function recently(us) {
    const full = localTime(us);
    if (full === null) {
        return String(us);
    }
    const day = localTime(BigInt(Date.now()) * 1000n).slice(0, 10);
    return (full.startsWith(day) ? full.slice(11) : full).replace(/\.\d+$/, "");
}

export const isNever = (us) => us === NEVER;
export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/* ------------------------------------------------------------------------------- typed times -- */

const SECONDS = {s: 1, m: 60, min: 60, h: 3600, d: 86400, w: 604800};
const DATE = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[ tT]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(z|Z|[+-]\d{2}:?\d{2})?$/;
const TIME = /^(today|yesterday|tomorrow)?\s*(?:(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?$/i;
const AGO = /^(?:now\s*)?([+-])\s*(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)$/i;

const microsOf = (digits) => BigInt((digits ?? "").padEnd(6, "0").slice(0, 6));

/* Date takes the 31st of June for the 1st of July; this does not. */
function checked(date, year, month, day, hour, minute, second) {
    const same = hour < 24 && minute < 60 && second < 60 && month >= 1 && month <= 12 && day >= 1 &&
        day <= new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
    return same && !Number.isNaN(date.getTime()) ? BigInt(date.getTime()) * 1000n : null;
}

function fromDate(match) {
    const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0));
    const date = new Date(0);
    if (match[8] === undefined) {
        date.setFullYear(year, month - 1, day);
        date.setHours(hour, minute, second, 0);
    } else {
        date.setUTCFullYear(year, month - 1, day);
        date.setUTCHours(hour, minute, second, 0);
        const offset = /([+-])(\d{2}):?(\d{2})/.exec(match[8]);
        if (offset !== null) {
            const minutes = Number(offset[2]) * 60 + Number(offset[3]);
            date.setTime(date.getTime() - (offset[1] === "-" ? -1 : 1) * minutes * 60000);
        }
    }
    const us = checked(date, year, month, day, hour, minute, second);
    return us === null ? null : us + microsOf(match[7]);
}

function fromTime(match, now) {
    const [hour, minute, second] = match.slice(2, 5).map((part) => Number(part ?? 0));
    const days = {yesterday: -1, tomorrow: 1}[(match[1] ?? "").toLowerCase()] ?? 0;
    const date = new Date(now);
    date.setDate(date.getDate() + days);
    date.setHours(hour, minute, second, 0);
    return hour < 24 && minute < 60 && second < 60
        ? BigInt(date.getTime()) * 1000n + microsOf(match[5]) : null;
}

/*
 * What somebody typed, as microseconds: a local time ("2014-07-01 8:00", "yesterday 14:00", "8:00"), a distance from
 * now ("-15m"), RFC 3339, or the microseconds themselves. null: none of these.
 */
export function parseTime(text, now = Date.now()) {
    const typed = text.trim();
    if (/^-?\d{1,19}$/.test(typed)) {
        const us = BigInt(typed);
        return us === BigInt.asIntN(64, us) ? us : null;
    }
    if (/^now$/i.test(typed)) {
        return BigInt(now) * 1000n;
    }
    const ago = AGO.exec(typed);
    if (ago !== null) {
        const distance = Number(ago[2]) * SECONDS[ago[3].toLowerCase()] * (ago[1] === "-" ? -1 : 1);
        return Math.abs(distance) < 1e10 ? BigInt(Math.round(now + distance * 1e3)) * 1000n : null;
    }
    const date = DATE.exec(typed);
    if (date !== null) {
        return fromDate(date);
    }
    const time = TIME.exec(typed);
    return time !== null && typed !== "" ? fromTime(time, now) : null;
}
