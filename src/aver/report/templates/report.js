"use strict";
(() => {
  const MISSING = 65535;
  const data = JSON.parse(document.getElementById("data").textContent);
  const labels = data.labels, total = data.duration;
  const charts = [...document.querySelectorAll(".chart")].map(chart => ({
    key: chart.dataset.key, plot: chart.querySelector(".plot"), canvas: document.createElement("canvas"), line: document.createElement("div"),
    axis: chart.querySelector(".axis"), readout: chart.querySelector(".readout"), heading: chart.querySelector(".value-title"),
    values: [...chart.querySelectorAll(".row-values li")], names: [...chart.querySelectorAll(".row-names li")],
  }));
  const overview = document.getElementById("overview");
  if (!charts.length || !(total > 0)) return;

  /* ---- the packed numbers ---- */
  const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const little = (text, size) => {
    const view = new DataView(bytes(text).buffer), n = view.byteLength / size;
    const get = size === 2 ? i => view.getUint16(i * 2, true) : i => view.getUint32(i * 4, true);
    return (size === 2 ? Uint16Array : Uint32Array).from({ length: n }, (_, i) => get(i));
  };
  const times = little(data.windows, 4), windows = times.length / 2;
  const from = i => times[2 * i] / 1000, to = i => times[2 * i + 1] / 1000;
  const people = {};
  for (const person of data.people) {
    const curves = {};
    for (const [name, c] of Object.entries(person.curves)) {
      const scores = little(c.scores, 2), bits = bytes(c.weak), n = labels.length;
      const stretches = [];
      for (let i = 0; i < c.count; i++) {
        if (scores[i * n] === MISSING) continue;
        const last = stretches[stretches.length - 1], w = c.first + i;
        if (last && last[1] === w - 1 && from(w) - to(w - 1) < 0.0015) last[1] = w;
        else stretches.push([w, w]);
      }
      curves[name] = {
        stretches,
        at: (w, label) => scores[(w - c.first) * n + label] / 1000,
        has: w => w >= c.first && w < c.first + c.count && scores[(w - c.first) * n] !== MISSING,
        weak: w => (bits[(w - c.first) >> 3] >> ((w - c.first) & 7)) & 1,
      };
    }
    people[person.key] = curves;
  }
  const leading = curves => curves.fused ? "fused" : curves.face ? "face" : "voice";
  /* the window that holds a time; -1 where none does */
  const windowAt = time => {
    let low = 0, high = windows - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (from(middle) <= time) low = middle; else high = middle - 1;
    }
    return windows && from(low) <= time && time < to(low) + 1e-6 ? low : -1;
  };

  /* ---- state ---- */
  const smallest = Math.min(total, Math.max(2, 6 * (windows ? to(0) - from(0) : 1)));
  let start = 0, end = total, cursor = null, view = "rows";
  const shown = { fused: true, face: false, voice: false };
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  const clock = (time, decimals = 0) => {
    const unit = 10 ** decimals, ticks = Math.floor(time * unit + 1e-6);
    const whole = Math.floor(ticks / unit), h = Math.floor(whole / 3600);
    const m = Math.floor(whole / 60) % 60, s = String(whole % 60).padStart(2, "0");
    const text = h ? `${h}:${String(m).padStart(2, "0")}:${s}` : `${m}:${s}`;
    return decimals ? `${text}.${String(ticks % unit).padStart(decimals, "0")}` : text;
  };
  const look = (a, b) => {
    const length = clamp(b - a, smallest, total);
    start = clamp((a + b - length) / 2, 0, total - length);
    end = start + length;
    draw();
  };

  /* ---- drawing ---- */
  const MARKS = {
    plain: "", waves: "M0 4h8", dots: "M2 2h.01M6 6h.01", bars: "M2 0v8M6 0v8", grid: "M0 4h8M4 0v8",
    falling: "M-2 -2l12 12M-2 6l4 4M6 -2l4 4", cross: "M-2 -2l12 12M10 -2l-12 12",
    rising: "M10 -2l-12 12M2 -2l-4 4M10 6l-4 4",
  };
  let colours, soft, rule, present, hatch, mark, accent;
  const readColours = () => {
    const css = getComputedStyle(document.documentElement), get = name => css.getPropertyValue(name).trim();
    colours = labels.map((_, i) => get(`--c${i}`));
    [soft, rule, present, hatch, mark, accent] =
      ["--soft", "--rule", "--present", "--hatch", "--mark", "--accent"].map(get);
  };
  const tile = (size, ratio, paint) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = Math.round(size * ratio);
    const context = canvas.getContext("2d");
    context.scale(canvas.width / size, canvas.width / size);
    paint(context);
    return pattern => {
      const made = pattern.createPattern(canvas, "repeat");
      made.setTransform(new DOMMatrix().scale(size / canvas.width));
      return made;
    };
  };
  const weakTile = ratio => tile(6, ratio, c => {
    c.strokeStyle = hatch; c.lineWidth = 1.1;
    c.stroke(new Path2D("M-1 7l8 -8M-1 1l2 -2M5 7l2 -2"));
  });
  const labelTile = (label, ratio) => tile(8, ratio, c => {
    c.fillStyle = colours[label]; c.fillRect(0, 0, 8, 8);
    c.strokeStyle = mark; c.lineWidth = 1.6; c.lineCap = "round";
    c.stroke(new Path2D(MARKS[data.looks[label]]));
  });

  /* One stretch as points [x, low, mean, high]: a point a window, or one a pixel where the windows
     are narrower than that, with the lowest and highest score in it. */
  const trace = (curve, [first, last], label, x) => {
    const points = [], dense = (x(to(last)) - x(from(first))) / (last - first + 1) < 1.2;
    if (!dense) {
      points.push([x(from(first)), 0, curve.at(first, label), 0]);
      for (let w = first; w <= last; w++)
        points.push([x((from(w) + to(w)) / 2), 0, curve.at(w, label), 0]);
      points.push([x(to(last)), 0, curve.at(last, label), 0]);
      return { points, dense };
    }
    let pixel = null, sum = 0, count = 0, low = 1, high = 0;
    const close = () => { if (count) points.push([pixel, low, sum / count, high]); };
    for (let w = first; w <= last; w++) {
      const at = Math.floor(x((from(w) + to(w)) / 2)), value = curve.at(w, label);
      if (at !== pixel) { close(); pixel = at; sum = count = 0; low = 1; high = 0; }
      sum += value; count++; low = Math.min(low, value); high = Math.max(high, value);
    }
    close();
    return { points, dense };
  };
  const visible = stretches => {
    const first = clamp(firstEndingAfter(start) - 1, 0, windows - 1), last = lastStartingBefore(end) + 1;
    return stretches.filter(s => s[1] >= first && s[0] <= last)
      .map(s => [Math.max(s[0], first), Math.min(s[1], last)]);
  };
  const firstEndingAfter = time => {
    let low = 0, high = windows - 1;
    while (low < high) { const m = (low + high) >> 1; if (to(m) < time) low = m + 1; else high = m; }
    return low;
  };
  const lastStartingBefore = time => {
    let low = 0, high = windows - 1;
    while (low < high) { const m = (low + high + 1) >> 1; if (from(m) > time) high = m - 1; else low = m; }
    return low;
  };

  const STYLE = { fused: { width: 1.8, dash: [] }, face: { width: 1.3, dash: [6, 3] }, voice: { width: 1.7, dash: [1.5, 3] } };
  const drawRows = (c, curves, x, width, row) => {
    const only = leading(curves), names = ["fused", "face", "voice"].filter(n => curves[n] && (shown[n] || (n === only && only !== "fused" && shown.fused)));
    for (let label = 0; label < labels.length; label++) {
      const foot = (label + 1) * row, y = value => foot - 1 - value / data.scale * (row - 4);
      c.fillStyle = rule; c.fillRect(0, foot - 1, width, 1);
      for (const name of names) for (const stretch of visible(curves[name].stretches)) {
        const { points, dense } = trace(curves[name], stretch, label, x);
        if (!points.length) continue;
        const line = new Path2D(), left = points[0][0], right = points[points.length - 1][0] + (dense ? 1 : 0);
        points.forEach(([px, , mean], i) => i ? line.lineTo(px, y(mean)) : line.moveTo(px, y(mean)));
        c.fillStyle = c.strokeStyle = colours[label];
        if (name === names[0]) {
          const area = new Path2D(line);
          area.lineTo(right, foot); area.lineTo(left, foot); area.closePath();
          c.globalAlpha = 0.3; c.fill(area); c.globalAlpha = 1;
        }
        if (dense) {
          c.globalAlpha = 0.35;
          for (const [px, low, , high] of points) c.fillRect(px, y(high), 1, Math.max(1, y(low) - y(high)));
          c.globalAlpha = 1;
        }
        c.lineWidth = dense ? 1 : STYLE[name].width; c.lineJoin = "round"; c.setLineDash(STYLE[name].dash);
        c.stroke(line);
      }
    }
    c.setLineDash([]);
  };
  const drawStacked = (c, curves, x, width, row, ratio) => {
    const name = ["fused", "face", "voice"].find(n => curves[n] && shown[n]) || leading(curves);
    const height = row * labels.length;
    for (const stretch of visible(curves[name].stretches)) {
      const traces = labels.map((_, label) => trace(curves[name], stretch, label, x).points);
      let floor = traces[0].map(() => height);
      for (let label = labels.length - 1; label >= 0; label--) {
        const top = traces[label].map((p, i) => floor[i] - p[2] * height), area = new Path2D();
        traces[label].forEach((p, i) => i ? area.lineTo(p[0], top[i]) : area.moveTo(p[0], top[i]));
        for (let i = floor.length - 1; i >= 0; i--) area.lineTo(traces[label][i][0], floor[i]);
        area.closePath();
        c.fillStyle = labelTile(label, ratio)(c); c.fill(area);
        floor = top;
      }
    }
  };
  const drawChart = chart => {
    const canvas = chart.canvas, box = canvas.parentElement.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    const width = box.width, height = box.height, row = height / labels.length;
    if (!width) return;
    canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
    const c = canvas.getContext("2d"), x = time => (time - start) / (end - start) * width;
    c.scale(ratio, ratio);
    const base = chart.curves[leading(chart.curves)];
    c.fillStyle = present;
    for (const [a, b] of visible(base.stretches)) c.fillRect(x(from(a)), 0, Math.max(1, x(to(b)) - x(from(a))), height);
    (view === "rows" ? drawRows : drawStacked)(c, chart.curves, x, width, row, ratio);
    const hatching = weakTile(ratio)(c);
    for (const [a, b] of visible(base.stretches)) for (let w = a; w <= b; w++) {
      if (!base.weak(w)) continue;
      const begin = w;
      while (w < b && base.weak(w + 1)) w++;
      const box = [x(from(begin)), 0, Math.max(1, x(to(w)) - x(from(begin))), height];
      if (view === "stacked") { c.fillStyle = present; c.globalAlpha = 0.6; c.fillRect(...box); c.globalAlpha = 1; }
      c.fillStyle = hatching; c.fillRect(...box);
    }
    /* words in wide gaps, so that empty does not look broken */
    c.fillStyle = soft; c.font = "12px system-ui, sans-serif"; c.textAlign = "center"; c.textBaseline = "middle";
    let before = start;
    for (const [a, b] of chart.key === "nobody" ? [] : [...visible(base.stretches), [null, null]]) {
      const next = a === null ? end : Math.max(start, from(a));
      if (x(next) - x(before) > 90) c.fillText("no score", (x(next) + x(before)) / 2, height / 2);
      if (a !== null) before = Math.min(end, to(b));
    }
    drawAxis(chart.axis, width);
  };
  const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200];
  const drawAxis = (axis, width) => {
    const step = STEPS.find(s => (end - start) / s <= width / 60) || 86400, marks = [];
    for (let i = Math.ceil(start / step - 1e-6); i * step <= end + 1e-6; i++) {
      const mark = document.createElement("span");
      mark.style.left = `${100 * (i * step - start) / (end - start)}%`;
      mark.textContent = clock(i * step, step < 1 ? 1 : 0);
      marks.push(mark);
    }
    axis.replaceChildren(...marks);
  };

  /* ---- human sounds: lanes to look into together with the curves ---- */
  const sounds = data.sounds.spans, plotted = document.getElementById("sounds-plot");
  const ear = document.createElement("canvas"), earLine = document.createElement("div");
  earLine.className = "cursor-line";
  if (plotted) plotted.append(ear, earLine);
  const drawSounds = () => {
    if (!plotted) return;
    const { width, height } = plotted.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    if (!width) return;
    ear.width = Math.round(width * ratio); ear.height = Math.round(height * ratio);
    const c = ear.getContext("2d"), row = height / sounds.length;
    const x = ms => (ms / 1000 - start) / (end - start) * width;
    c.scale(ratio, ratio);
    c.fillStyle = accent;
    sounds.forEach((spans, lane) => {
      for (const [a, b, score] of spans) {
        if (b / 1000 < start || a / 1000 > end) continue;
        c.globalAlpha = 0.3 + 0.6 * score / 100; /* the surer, the darker */
        c.fillRect(x(a), lane * row + 5, Math.max(1.5, x(b) - x(a)), row - 10);
      }
    });
    drawAxis(plotted.parentElement.querySelector(".axis"), width);
  };
  const soundsAt = time => {
    const found = [];
    sounds.forEach((spans, lane) => {
      for (const [a, b, score, name] of spans)
        if (a / 1000 <= time && time < b / 1000)
          found.push(`${name || data.sounds.names[lane]} ${(score / 100).toFixed(2)}`);
    });
    return found;
  };
  const drawHeard = () => {
    if (!plotted) return;
    const inside = cursor !== null && cursor >= start && cursor <= end;
    earLine.style.display = inside ? "" : "none";
    if (inside) earLine.style.left = `${100 * (cursor - start) / (end - start)}%`;
    const found = cursor === null ? [] : soundsAt(cursor);
    area.title = found.join(", ");
    document.getElementById("sounds-now").textContent = cursor === null
      ? "Point at a moment to read what was heard in it; the surer, the darker."
      : [clock(cursor, 1), ...(found.length ? found : ["none"])].join(" · ");
  };

  /* ---- numbers at the cursor ---- */
  const drawReadouts = () => {
    for (const chart of charts) {
      const inside = cursor !== null && cursor >= start && cursor <= end;
      chart.line.style.display = inside ? "" : "none";
      if (inside) chart.line.style.left = `${100 * (cursor - start) / (end - start)}%`;
      const w = cursor === null ? -1 : windowAt(cursor), name = leading(chart.curves);
      const names = ["fused", "face", "voice"].filter(n => chart.curves[n] && w >= 0 && chart.curves[n].has(w));
      const main = names.includes(name) ? chart.curves[name] : null;
      let top = -1;
      chart.values.forEach((item, label) => {
        item.textContent = cursor === null ? item.dataset.mean : main ? main.at(w, label).toFixed(2) : "–";
        if (main && (top < 0 || main.at(w, label) > main.at(w, top))) top = label;
      });
      if (cursor === null) top = chart.top;
      [...chart.values, ...chart.names].forEach((item, i) => item.classList.toggle("top", i % labels.length === top));
      chart.heading.textContent = cursor === null ? "mean" : "now";
      if (cursor === null) { chart.readout.textContent = view === "rows" ? chart.readout.dataset.rest : "The scores of one moment, stacked; they add up to 1"; continue; }
      const best = n => {
        let b = 0;
        for (let i = 1; i < labels.length; i++) if (chart.curves[n].at(w, i) > chart.curves[n].at(w, b)) b = i;
        return `${n} ${labels[b]} ${chart.curves[n].at(w, b).toFixed(2)}`;
      };
      const parts = main ? [`${clock(from(w), 1)}–${clock(to(w), 1)}`, ...names.map(best)] : [clock(cursor, 1), "no score"];
      if (main && main.weak(w)) parts.push("weak evidence");
      chart.readout.textContent = parts.join(" · ");
    }
  };

  /* ---- the overview's brush ---- */
  const area = document.createElement("div"), brush = document.createElement("div"), line = document.createElement("div");
  area.className = "brush-area"; brush.className = "brush"; line.className = "cursor-line";
  area.append(brush, line);
  if (overview) overview.append(area);
  const drawBrush = () => {
    if (!overview) return;
    const lane = overview.querySelector(".lane").getBoundingClientRect(), box = overview.getBoundingClientRect();
    area.style.left = `${lane.left - box.left}px`; area.style.width = `${lane.width}px`;
    const whole = end - start > total - 1e-6;
    brush.hidden = whole; line.hidden = cursor === null;
    brush.style.display = whole ? "none" : "";
    brush.style.left = `${100 * start / total}%`; brush.style.width = `${100 * (end - start) / total}%`;
    line.style.display = cursor === null ? "none" : "";
    if (cursor !== null) line.style.left = `${100 * cursor / total}%`;
  };

  /* The curves are drawn anew only when they change; moving the cursor leaves them alone. */
  let waiting = false, stale = true;
  const point = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      if (stale) { charts.forEach(drawChart); drawSounds(); }
      stale = false;
      drawReadouts(); drawHeard(); drawBrush();
      document.getElementById("span").textContent = `${clock(start, end - start < 10 ? 1 : 0)} – ${clock(end, end - start < 10 ? 1 : 0)}`;
    });
  };
  const draw = () => { stale = true; point(); };

  /* ---- hands ---- */
  const drag = (element, timeAt, onClick) => {
    let anchor = null, moved = false, pan = null;
    element.addEventListener("pointerdown", e => {
      if (e.button) return;
      anchor = timeAt(e); moved = false; pan = e.pointerType === "touch" && element !== area ? [e.clientX, start, end] : null;
      element.setPointerCapture(e.pointerId);
    });
    element.addEventListener("pointermove", e => {
      const time = timeAt(e);
      if (anchor === null) { cursor = time; point(); return; }
      if (Math.abs(time - anchor) / (end - start) < 0.01 && !moved) return;
      moved = true;
      if (pan && pan[2] - pan[1] < total - 1e-6) {
        const shift = (pan[0] - e.clientX) / element.getBoundingClientRect().width * (pan[2] - pan[1]);
        look(pan[1] + shift, pan[2] + shift);
      } else { cursor = time; if (element === area) look(Math.min(anchor, time), Math.max(anchor, time)); else point(); }
    });
    element.addEventListener("pointerup", e => {
      if (anchor === null) return;
      const time = timeAt(e);
      if (moved && !pan) look(Math.min(anchor, time), Math.max(anchor, time));
      else if (!moved) { cursor = time; if (onClick) onClick(time); point(); }
      anchor = null;
    });
    element.addEventListener("pointercancel", () => { anchor = null; });
    element.addEventListener("pointerleave", e => { if (e.pointerType === "mouse" && anchor === null) { cursor = null; point(); } });
    element.addEventListener("dblclick", () => look(0, total));
  };
  const within = (element, a, b) => e => {
    const box = element.getBoundingClientRect();
    return clamp(a() + (e.clientX - box.left) / box.width * (b() - a()), 0, total);
  };
  drag(area, within(area, () => 0, () => total), time => {
    if (end - start < total - 1e-6) look(time - (end - start) / 2, time + (end - start) / 2);
  });
  const hands = canvas => {
    drag(canvas, within(canvas, () => start, () => end));
    canvas.addEventListener("wheel", e => {
      const sideways = Math.abs(e.deltaX) > Math.abs(e.deltaY);
      if (!sideways && !e.ctrlKey && !e.metaKey) return; /* an ordinary scroll belongs to the page */
      e.preventDefault();
      const span = end - start, at = within(canvas, () => start, () => end)(e);
      if (sideways) look(start + e.deltaX / 600 * span, end + e.deltaX / 600 * span);
      else { const k = Math.exp(e.deltaY / 150); look(at - (at - start) * k, at + (end - at) * k); }
    }, { passive: false });
  };
  if (plotted) hands(ear);
  for (const chart of charts) {
    const { plot, canvas } = chart;
    chart.curves = people[chart.key];
    chart.top = chart.values.findIndex(item => item.classList.contains("top"));
    chart.line.className = "cursor-line";
    plot.append(canvas, chart.line);
    hands(canvas);
    plot.addEventListener("keydown", e => {
      const step = windows ? to(0) - from(0) : 0.5, now = cursor === null ? start : cursor;
      const moves = { ArrowLeft: now - step, ArrowRight: now + step, Home: start, End: end - step / 2 };
      if (e.key in moves) cursor = clamp(moves[e.key], 0, total - 1e-3);
      else if (e.key === "+" || e.key === "=") zoom("in");
      else if (e.key === "-") zoom("out");
      else if (e.key === "Escape") { cursor = null; look(0, total); }
      else return;
      e.preventDefault();
      chart.readout.setAttribute("aria-live", "polite");
      if (cursor !== null && (cursor < start || cursor > end)) look(cursor - (end - start) / 2, cursor + (end - start) / 2);
      point();
    });
  }
  const zoom = kind => {
    const span = end - start, middle = cursor !== null && cursor >= start && cursor <= end ? cursor : (start + end) / 2;
    if (kind === "in") look(middle - span / 4, middle + span / 4);
    if (kind === "out") look(middle - span, middle + span);
    if (kind === "left") look(start - span / 2, end - span / 2);
    if (kind === "right") look(start + span / 2, end + span / 2);
    if (kind === "all") look(0, total);
  };
  document.querySelectorAll("[data-zoom]").forEach(b => b.addEventListener("click", () => zoom(b.dataset.zoom)));
  document.querySelectorAll("[name=modality]").forEach(box => box.addEventListener("change", () => { shown[box.value] = box.checked; draw(); }));
  document.querySelectorAll("[name=view]").forEach(box => box.addEventListener("change", () => { view = box.value; draw(); }));
  document.querySelectorAll(".faces figure").forEach(figure => {
    const show = () => {
      cursor = +figure.dataset.time + 1e-3;
      if (total > 120) look(cursor - 30, cursor + 30);
      point();
    };
    figure.tabIndex = 0; figure.setAttribute("role", "button");
    figure.addEventListener("click", show);
    figure.addEventListener("keydown", e => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); show(); } });
  });

  document.documentElement.classList.add("script");
  readColours(); draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); draw(); });
  addEventListener("resize", draw);
})();
