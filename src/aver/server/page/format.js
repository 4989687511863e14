// Times, sizes and names as people write them. clock() and printable() follow aver.report.runs.

/** 0:07, 12:03, 1:02:03; with decimals 0:07.5. */
export function clock(seconds, decimals = 0) {
  const unit = 10 ** decimals;
  const ticks = Math.max(0, Math.floor((Number.isFinite(seconds) ? seconds : 0) * unit + 1e-6));
  const whole = Math.floor(ticks / unit);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = String(whole % 60).padStart(2, "0");
  const text = hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
  return decimals ? `${text}.${String(ticks % unit).padStart(decimals, "0")}` : text;
}

/** For the ear: "1 minute 7 seconds". */
export function spoken(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [
    [Math.floor(whole / 3600), "hour"],
    [Math.floor(whole / 60) % 60, "minute"],
    [whole % 60, "second"],
  ];
  const said = parts.filter(([count, unit]) => count || (unit === "second" && whole < 60));
  return said.map(([count, unit]) => `${count} ${unit}${count === 1 ? "" : "s"}`).join(" ");
}

/** "about 2 min left". */
export function left(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 5) return "a few seconds left";
  if (seconds < 55) return `about ${Math.ceil(seconds / 5) * 5} s left`;
  if (seconds < 3300) return `about ${Math.round(seconds / 60)} min left`;
  return `about ${(seconds / 3600).toFixed(1)} h left`;
}

export function bytes(count) {
  if (!Number.isFinite(count)) return "";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = count,
    unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** A moment given as seconds since 1970 or as ISO text. */
export function moment(value) {
  if (value === null || value === undefined || value === "") return null;
  const date = new Date(typeof value === "number" ? value * 1000 : value);
  return Number.isNaN(date.getTime()) ? null : date;
}

export function when(value, now = new Date()) {
  const date = moment(value);
  if (!date) return "";
  const time = date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  if (date.toDateString() === now.toDateString()) return `today, ${time}`;
  return `${date.toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" })}, ${time}`;
}

/** One line without control and direction characters, which could make a name look like another. */
export function printable(text) {
  return String(text ?? "")
    .replace(/\s+/gu, " ")
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu, "\uFFFD")
    .trim();
}

/** Round times for an axis: at most *most* steps between *start* and *end*. */
export function ticks(start, end, most) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
  const step = steps.find((s) => (end - start) / s <= most) ?? 86400;
  const found = [];
  for (let i = Math.ceil(start / step - 1e-9); i * step <= end + 1e-9; i += 1) found.push(i * step);
  return { step, times: found };
}
