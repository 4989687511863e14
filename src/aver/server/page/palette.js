// Colours and patterns of the labels: the same as in aver.report.palette (a test compares them).

const KNOWN = {
  neutral: ["#667578", "#7F9090", "plain"],
  calm: ["#4CB4FD", "#A9DBFE", "waves"],
  happy: ["#D6A419", "#D9CB4A", "dots"],
  sad: ["#4B55E6", "#4A6CEB", "falling"],
  angry: ["#B5330F", "#E0532C", "cross"],
  fearful: ["#61366C", "#B08AD8", "bars"],
  disgust: ["#17875A", "#3FB57C", "rising"],
  surprised: ["#FE66A8", "#FFB9C0", "grid"],
};

const SAME_AS = {
  anger: "angry",
  fear: "fearful",
  happiness: "happy",
  sadness: "sad",
  serenity: "calm",
  surprise: "surprised",
};

export const PATTERNS = {
  plain: "",
  waves: "M0 4h8",
  dots: "M2 2h.01M6 6h.01",
  falling: "M-2 -2l12 12M-2 6l4 4M6 -2l4 4",
  cross: "M-2 -2l12 12M10 -2l-12 12",
  bars: "M2 0v8M6 0v8",
  rising: "M10 -2l-12 12M2 -2l-4 4M10 6l-4 4",
  grid: "M0 4h8M4 0v8",
};

/** [{ light, dark, pattern }] for every label: the usual look, else one not yet used. */
export function looks(labels) {
  const own = (label) => KNOWN[Object.hasOwn(SAME_AS, label) ? SAME_AS[label] : label];
  const known = labels.map((label) =>
    Object.hasOwn(KNOWN, label) || Object.hasOwn(SAME_AS, label) ? own(label) : null,
  );
  const free = Object.values(KNOWN).filter((look) => !known.includes(look));
  const patterns = Object.keys(PATTERNS);
  const found = [];
  let made = 0;
  for (let look of known) {
    if (!look && free.length) look = free.shift();
    else if (!look || found.includes(look)) {
      const hue = (0.12 + made * 0.381966) % 1; // the golden angle keeps further hues apart
      look = [hex(hue, 0.42), hex(hue, 0.66), patterns[made % patterns.length]];
      made += 1;
    }
    found.push(look);
  }
  return found.map(([light, dark, pattern]) => ({ light, dark, pattern }));
}

function hex(hue, lightness, saturation = 0.55) {
  const high =
    lightness <= 0.5 ? lightness * (1 + saturation) : lightness + saturation - lightness * saturation;
  const low = 2 * lightness - high;
  const part = (shift) => {
    const at = (hue + shift + 1) % 1;
    if (at < 1 / 6) return low + (high - low) * at * 6;
    if (at < 0.5) return high;
    if (at < 2 / 3) return low + (high - low) * (2 / 3 - at) * 6;
    return low;
  };
  const text = [1 / 3, 0, -1 / 3].map((shift) =>
    Math.round(255 * part(shift))
      .toString(16)
      .padStart(2, "0"),
  );
  return `#${text.join("").toUpperCase()}`;
}

/** What a canvas needs, read from the style sheet as it stands now (light or dark). */
export class Paint {
  constructor(labels) {
    this.looks = looks(labels);
    this.read();
  }

  /** Read the colours again, after the theme has changed. */
  read() {
    const probe = document.createElement("i");
    probe.hidden = true;
    document.body.append(probe);
    const colour = (name) => {
      probe.style.color = `var(${name})`;
      return getComputedStyle(probe).color;
    };
    const scheme = (light, dark) => {
      probe.style.color = `light-dark(${light}, ${dark})`;
      return getComputedStyle(probe).color;
    };
    for (const name of ["ink", "soft", "rule", "present", "card", "accent", "hatch", "mark", "paper"])
      this[name] = colour(`--${name}`);
    this.labels = this.looks.map((look) => scheme(look.light, look.dark));
    this.shades = this.labels.map((text) => faint(text, 0.26));
    this.bands = this.labels.map((text) => faint(text, 0.2));
    const style = getComputedStyle(document.documentElement);
    this.font = style.fontFamily;
    probe.remove();
    this.tiles = new Map();
  }

  /** A repeating pattern of a label, or of "weak" evidence. */
  tile(context, key) {
    const ratio = devicePixelRatio || 1;
    const kept = `${key}@${ratio}`;
    if (!this.tiles.has(kept)) this.tiles.set(kept, this.#draw(key, ratio));
    const canvas = this.tiles.get(kept);
    const size = key === "weak" ? 6 : 8;
    const pattern = context.createPattern(canvas, "repeat");
    pattern.setTransform(new DOMMatrix().scale(size / canvas.width));
    return pattern;
  }

  #draw(key, ratio) {
    const size = key === "weak" ? 6 : 8;
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = Math.round(size * ratio);
    const context = canvas.getContext("2d");
    context.scale(canvas.width / size, canvas.width / size);
    context.lineCap = "round";
    if (key === "weak") {
      context.strokeStyle = this.hatch;
      context.lineWidth = 1.1;
      context.stroke(new Path2D("M-1 7l8 -8M-1 1l2 -2M5 7l2 -2"));
    } else {
      context.fillStyle = this.labels[key];
      context.fillRect(0, 0, size, size);
      context.strokeStyle = this.mark;
      context.lineWidth = 1.6;
      context.stroke(new Path2D(PATTERNS[this.looks[key].pattern]));
    }
    return canvas;
  }
}

function faint(colour, alpha) {
  const [red, green, blue] = colour.match(/[\d.]+/gu).map(Number);
  return `rgba(${red}, ${green}, ${blue}, ${alpha})`;
}
