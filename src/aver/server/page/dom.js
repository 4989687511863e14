// Elements, made without ever reading text as markup.

/**
 * An element: h("button", { class: "plain", onclick: f, "aria-label": "Close" }, "text", child).
 * Strings become text nodes. `props` and `style` are set as properties, everything else as
 * attributes; false, null and undefined leave an attribute out.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "props") Object.assign(element, value);
    else if (name === "style") for (const [k, v] of Object.entries(value)) element.style.setProperty(k, v);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Replace everything inside *element*. */
export function fill(element, ...children) {
  element.replaceChildren();
  add(element, children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** The same for SVG; attributes only. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  add(element, children);
  return element;
}

const ICONS = {
  play: "M7 4.5v15l12-7.5z",
  pause: "M7 4.5h3.5v15H7zM13.5 4.5H17v15h-3.5z",
  sound: "M4 9.5v5h3.5L12 19V5L7.5 9.5zM15 8.5a5 5 0 0 1 0 7M17.5 6a8.5 8.5 0 0 1 0 12",
  muted: "M4 9.5v5h3.5L12 19V5L7.5 9.5zM15.5 9.5l5 5M20.5 9.5l-5 5",
  whole: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  minus: "M5 12h14",
  plus: "M5 12h14M12 5v14",
  fit: "M3 12h18M3 12l4-4M3 12l4 4M21 12l-4-4M21 12l-4 4",
  pencil: "M4 20l1-4.5L16 4.5l3.5 3.5L8.5 19z",
  theme: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  drop: "M12 16V4M12 4L7.5 8.5M12 4l4.5 4.5M4 15v4.5h16V15",
  voice: "M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5a7.5 7.5 0 0 1 15 0",
};

/** A drawn sign; it says nothing to a screen reader, so its button needs words of its own. */
export function icon(name) {
  const solid = name === "play" || name === "pause" ? " solid" : "";
  return svg(
    "svg",
    { viewBox: "0 0 24 24", class: `icon${solid}`, "aria-hidden": "true", focusable: "false" },
    svg("path", { d: ICONS[name] }),
  );
}

let announcer;

/** Say *text* to people who listen to the page. */
export function announce(text) {
  announcer ??= document.getElementById("announce");
  if (announcer && announcer.textContent !== text) announcer.textContent = text;
}

/** Ask before something that cannot be undone; resolves to true or false. */
export function confirmed(question, detail, action) {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      {
        class: "ask",
        "aria-labelledby": "ask-title",
        onclose: () => {
          dialog.remove();
          resolve(dialog.returnValue === "yes");
        },
      },
      h("h2", { id: "ask-title" }, question),
      h("p", {}, detail),
      h(
        "div",
        { class: "row end" },
        h("button", { type: "button", onclick: () => dialog.close("no") }, "Keep"),
        h("button", { type: "button", class: "danger", onclick: () => dialog.close("yes") }, action),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}
