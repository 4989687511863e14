// The menu of a result's files.

import { resultUrl } from "./api.js";
import { h } from "./dom.js";
import { printable } from "./format.js";

const FORMATS = [
  ["html", "Report", "one page that opens anywhere"],
  ["json", "JSON", "everything"],
  ["csv", "CSV", "a row a window"],
  ["parquet", "Parquet", "the same, for programs"],
  ["vtt", "WebVTT", "subtitles"],
  ["eaf", "ELAN", "annotation tiers"],
  ["textgrid", "Praat TextGrid", "annotation tiers"],
];

export function downloads(job) {
  const stem = printable(job.name).replace(/\.[^.]*$/u, "") || "recording";
  const menu = h(
    "details",
    { class: "menu" },
    h("summary", { class: "button" }, "Download"),
    h(
      "ul",
      {},
      FORMATS.map(([format, words, hint]) =>
        h(
          "li",
          {},
          h(
            "a",
            {
              href: resultUrl(job.id, format),
              download: `${stem}.${format === "textgrid" ? "TextGrid" : format}`,
              dataset: { format },
            },
            words,
            h("span", { class: "hint" }, hint),
          ),
        ),
      ),
    ),
  );
  menu.addEventListener("focusout", (event) => {
    if (!menu.contains(event.relatedTarget)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.open) {
      event.stopPropagation();
      menu.open = false;
      menu.firstChild.focus();
    }
  });
  return menu;
}
