// Who a part of the timeline is about: face, name, a sentence, the strongest moments.

import { h, icon } from "./dom.js";
import { clock, printable } from "./format.js";
import { sentence } from "./people.js";

/** { head, name }; `context` is the timeline: names, packed, thumbnails, onRename, seek, decimals. */
export function personHead(one, context) {
  const { names, packed, onRename } = context;
  const name = h("h3", { class: "name" }, h("bdi", {}, names.of(one.person)));
  const rename =
    one.person !== null && onRename
      ? h(
          "button",
          {
            type: "button",
            class: "quiet rename",
            title: "Give a name",
            "aria-label": `Name person ${one.person}`,
            onclick: () => onRename(one, head),
          },
          icon("pencil"),
        )
      : null;
  const head = h(
    "div",
    { class: "person-head" },
    avatar(one, context),
    h(
      "div",
      { class: "who" },
      h("div", { class: "name-row" }, name, rename),
      h("p", { class: "sentence" }, sentence(one, packed)),
    ),
    faces(one, context),
  );
  return { head, name };
}

function avatar(one, { thumbnails }) {
  if (one.person === null) return h("span", { class: "avatar none" }, icon("voice"));
  const face = thumbnails(one, 0);
  return face
    ? h("img", { class: "avatar", src: face, alt: "" })
    : h("span", { class: "avatar none" }, icon("person"));
}

function faces(one, { thumbnails, seek, decimals }) {
  const best = (one.seen?.thumbnails ?? []).slice(0, 4);
  if (!best.length) return null;
  return h(
    "ul",
    { class: "faces", "aria-label": "Strongest moments" },
    best.map((face, i) =>
      h(
        "li",
        {},
        h(
          "button",
          {
            type: "button",
            class: "face",
            onclick: () => seek(face.time),
            "aria-label": `${printable(face.label)} ${face.score.toFixed(2)} at ${clock(face.time, decimals)}: go there`,
            title: `${printable(face.label)} ${face.score.toFixed(2)} at ${clock(face.time, decimals)}`,
          },
          h("img", { src: thumbnails(one, i), alt: "" }),
        ),
      ),
    ),
  );
}
