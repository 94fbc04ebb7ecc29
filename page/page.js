// SPDX-License-Identifier: MIT
// Makes the still pictures of a page into ones that can be turned and looked into: what is in view at once, the others
// as they come into view or when there is nothing else to do. Without scripts, without WebGL, or without the plotting
// library the still pictures stay.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const redraws = [];
  const waiting = new Map();  // plots that are not drawn yet: id to what draws it

  const hasWebGL = () => {
    try {
      const canvas = document.createElement("canvas");
      return Boolean(canvas.getContext("webgl") || canvas.getContext("experimental-webgl"));
    } catch (error) {
      return false;
    }
  };

  const base = (extra) => ({
    paper_bgcolor: css("--paper"), plot_bgcolor: css("--paper"), font: {color: css("--ink"), size: 13},
    margin: {l: 64, r: 16, t: 16, b: 52}, legend: {orientation: "h", y: 1.02, yanchor: "bottom", x: 0}, hoverlabel: {font: {size: 13}}, ...extra,
  });
  const axis = (title, extra) => ({
    title: {text: title}, gridcolor: css("--line"), zerolinecolor: css("--line"), linecolor: css("--quiet"), automargin: true, ...extra,
  });
  // As many pixels as the screen has: by software each of them costs.
  const config = {responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false,
                  plotGlPixelRatio: Math.min(2, window.devicePixelRatio || 1)};

  // Puts a plot in the place of a still picture. `make` gives traces and layout in the colours of now.
  const show = (id, make) => {
    const live = byId(id);
    const figure = live.closest("figure");
    const draw = () => {
      const {traces, layout} = make();
      return Plotly.react(live, traces, layout, config);
    };
    live.hidden = false;
    return draw().then(() => {
      figure.querySelectorAll(".still").forEach((still) => { still.hidden = true; });
      figure.querySelectorAll(".controls").forEach((controls) => { controls.hidden = false; });
      live.dataset.drawn = "true";
      redraws.push(draw);
      return draw;
    }).catch((error) => {
      live.hidden = true;
      console.warn(`${id}: the still picture stays`, error);
    });
  };

  const place = (value) => {
    const {low, high} = data.heat;
    if (value === null) { return null; }
    if (value <= low || high <= low) { return 0; }
    return Math.min(1, low > 0 ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
  };
  const heatScale = () => data.heat.colors.map((color, i, all) => [i / (all.length - 1), color]);
  const unit = (value) => value === null ? "not known" :
    `${Number((value * data.metric.factor).toPrecision(4))}${data.metric.unit ? " " + data.metric.unit : ""}`;

  // ---- the string on its principal axes
  const string = data.string;
  const beadsAfter = (round) => string.beads.map((bead, i) => i).filter((i) => string.beads[i].round <= round);

  const pointsAfter = (round) => {
    const places = beadsAfter(round);
    const points = {x: [], y: [], z: [], value: []};
    for (let i = 0; i + 1 < places.length; ++i) {
      const left = string.beads[places[i]].at;
      const right = string.beads[places[i + 1]].at;
      const segment = string.segments[`${places[i]}-${places[i + 1]}`] || {t: [0, 1], value: [null, null]};
      segment.t.forEach((t, k) => {
        points.x.push((1 - t) * left[0] + t * right[0]);
        points.y.push((1 - t) * left[1] + t * right[1]);
        points.z.push((1 - t) * left[2] + t * right[2]);
        points.value.push(segment.value[k]);
      });
    }
    return points;
  };

  const box = () => [0, 1, 2].map((k) => {
    const all = string.beads.flatMap((bead) => bead.start ? [bead.at[k], bead.start[k]] : [bead.at[k]]);
    const low = Math.min(...all);
    const high = Math.max(...all);
    const air = high - low > 1e-9 ? 0.06 * (high - low) : 0.5;
    return [low - air, high + air];
  });

  const stringTraces = (round) => {
    const points = pointsAfter(round);
    const places = beadsAfter(round);
    const range = box();
    const known = points.value.some((value) => value !== null);
    const colors = points.value.map(place);
    const shadows = {x: [], y: [], z: []};
    for (const flat of ["x", "y", "z"]) {
      ["x", "y", "z"].forEach((name, k) => {
        shadows[name].push(...(name === flat ? points.x.map(() => range[k][0]) : points[name]), null);
      });
    }
    const fresh = round > 0 ? places.filter((i) => string.beads[i].round === round && string.beads[i].start) : [];
    const moves = {x: [], y: [], z: []};
    fresh.forEach((i) => ["x", "y", "z"].forEach((name, k) => {
      moves[name].push(string.beads[i].start[k], string.beads[i].at[k], null);
    }));
    const of = (k) => places.map((i) => string.beads[i].at[k]);
    return [
      {type: "scatter3d", mode: "lines", name: "shadows", ...shadows, line: {color: css("--faint"), width: 2},
       hoverinfo: "skip", showlegend: false},
      {type: "scatter3d", mode: "lines", name: "string", x: points.x, y: points.y, z: points.z, customdata: points.value.map(unit),
       line: known ? {color: colors.map((color) => color === null ? 0 : color), cmin: 0, cmax: 1, colorscale: heatScale(), width: 7}
                   : {color: css("--quiet"), width: 7},
       hovertemplate: `${data.metric.name}: %{customdata}<extra></extra>`, showlegend: false},
      {type: "scatter3d", mode: "markers", name: "beads", x: of(0), y: of(1), z: of(2),
       customdata: places.map((i) => `bead ${i}, put in by round ${string.beads[i].round}`),
       marker: {symbol: "square", size: places.map((i) => i === 0 || i === string.beads.length - 1 ? 6 : 3), color: css("--ink")},
       hovertemplate: "%{customdata}<extra></extra>", showlegend: false},
      {type: "scatter3d", mode: "lines", name: "from where a bead was put in to where it was trained", ...moves,
       line: {color: css("--ink"), width: 2, dash: "dot"}, hoverinfo: "skip", showlegend: false},
    ];
  };

  // What the colours are, beside the controls.
  const showKey = () => {
    byId("key").hidden = !Object.keys(string.segments).length;
    byId("key-low").textContent = `L0 = ${unit(data.heat.low)}`;
    byId("key-bar").style.background = `linear-gradient(to right, ${data.heat.colors.join(", ")})`;
    byId("key-high").textContent = unit(data.heat.high);
  };

  // A scene cuts every text of its own, and every round mark, into triangles, which takes most of the time of a first
  // picture. So its axes have none, and texts stand at three edges that face who looks at it first.
  const bare = ([low, high]) => {
    const step = 10 ** Math.floor(Math.log10((high - low) / 2));
    const each = (high - low) / step > 10 ? 5 * step : (high - low) / step > 4 ? 2 * step : step;
    const tickvals = [];
    for (let k = Math.ceil(low / each); k * each <= high; ++k) { tickvals.push(k * each); }
    return {...axis(""), range: [low, high], tickmode: "array", tickvals, ticktext: tickvals.map(() => ""), showspikes: false};
  };
  const spanOf = (range) => range.map((value) => Number(value.toPrecision(3))).join(" to ");
  const edgeTexts = ([[x0, x1], [y0, y1], [z0, z1]], texts) => {
    const narrow = document.documentElement.clientWidth < 600;
    const places = [[(x0 + x1) / 2, y1, z0], [x1, (y0 + y1) / 2, z0], [x1, y0, (z0 + z1) / 2]];
    return places.map(([x, y, z], k) => ({x, y, z, text: narrow ? texts[k].replace(": ", ":<br>") : texts[k], showarrow: false, font: {color: css("--ink"), size: 13},
                                          ...[{xanchor: narrow ? "center" : "left", yanchor: "top"},
                                              {xanchor: narrow ? "center" : "right", yanchor: "top"},
                                              {xanchor: narrow ? "left" : "right"}][k]}));
  };

  let eye = {x: 1.5, y: 1.5, z: 0.9};
  const drawString = () => {
    const slider = byId("round");
    let round = string.rounds;
    const scene = () => {
      const range = box();
      const one = (k) => ({...bare(range[k]), showbackground: true, backgroundcolor: css("--card")});
      const text = (k) => `axis ${k + 1}: ${spanOf(range[k])}`;
      return {annotations: edgeTexts(range, [0, 1, 2].map(text)),
              xaxis: one(0), yaxis: one(1), zaxis: one(2), aspectmode: "cube", camera: {eye}, dragmode: "turntable"};
    };
    const make = () => ({traces: stringTraces(round), layout: base({scene: scene(), margin: {l: 0, r: 0, t: 0, b: 0},
                                                                   uirevision: "string"})});
    showKey();
    return show("string", make).then((draw) => {
      if (!draw) { return; }
      const live = byId("string");
      const say = () => {
        const count = beadsAfter(round).length;
        const text = round === 0 ? `before the first round, ${count} beads` : `after round ${round}, ${count} beads`;
        byId("round-text").textContent = text;
        slider.setAttribute("aria-valuetext", text);
        live.dataset.points = String(pointsAfter(round).x.length);
      };
      const go = (next) => {
        round = next;
        slider.value = String(next);
        say();
        return draw();
      };
      slider.addEventListener("input", () => go(Number(slider.value)));
      let timer = null;
      const play = byId("play");
      const stop = () => {
        clearInterval(timer);
        timer = null;
        play.textContent = "Play";
      };
      play.addEventListener("click", () => {
        if (timer !== null) { stop(); return; }
        play.textContent = "Pause";
        go(round >= string.rounds ? 0 : round + 1);
        timer = setInterval(() => round >= string.rounds ? stop() : go(round + 1), 700);
      });
      const turn = (around, up) => {
        const now = live._fullLayout.scene._scene ? live._fullLayout.scene._scene.getCamera().eye : eye;
        const flat = Math.hypot(now.x, now.y);
        const angle = Math.atan2(now.y, now.x) + around;
        const far = Math.hypot(flat, now.z);
        const tilt = Math.min(1.45, Math.max(-1.45, Math.atan2(now.z, flat) + up));
        eye = {x: far * Math.cos(tilt) * Math.cos(angle), y: far * Math.cos(tilt) * Math.sin(angle), z: far * Math.sin(tilt)};
        return Plotly.relayout(live, {"scene.camera.eye": eye});
      };
      document.querySelectorAll("[data-turn]").forEach((button) => {
        const [around, up] = button.dataset.turn.split(",").map(Number);
        button.addEventListener("click", () => turn(around, up));
      });
      say();
    });
  };

  // ---- the metric along the path
  const drawProfile = () => {
    const profile = data.profile;
    const factor = data.metric.factor;
    const times = (values) => values.map((value) => value === null ? null : value * factor);
    const all = profile.series.flatMap((series) => series.y).filter((value) => value !== null && value > 0);
    const log = all.length > 0 && Math.max(...all) > 10 * profile.threshold;
    const dashes = ["solid", "dot", "dash", "dashdot"];
    return show("profile", () => {
      const traces = [];
      if (profile.bounds.length > 0) {
        const x = [];
        const y = [];
        profile.bounds.forEach(([from, to, bound]) => { x.push(from, to, null); y.push(bound * factor, bound * factor, null); });
        traces.push({type: "scatter", mode: "lines", name: "proven bound of each segment", x, y, line: {color: css("--quiet"), width: 5},
                     opacity: 0.6});
      }
      profile.series.forEach((series, i) => traces.push(
        {type: "scatter", mode: "lines", name: series.name, x: series.x, y: series.second ? series.y : times(series.y),
         yaxis: series.second ? "y2" : "y", line: {color: [css("--good"), css("--bad")][i % 2], dash: dashes[i % 4], width: 2}}));
      traces.push({type: "scatter", mode: "markers", name: "beads", x: profile.beads.x, y: times(profile.beads.y),
                   marker: {color: css("--paper"), size: 8, line: {color: css("--ink"), width: 1.5}}});
      const layout = base({
        xaxis: axis("arc length from A"), yaxis: axis(data.metric.label, log ? {type: "log"} : {rangemode: "tozero"}),
        shapes: [{type: "line", xref: "paper", x0: 0, x1: 1, y0: profile.threshold * factor, y1: profile.threshold * factor,
                  line: {color: css("--bad"), width: 2, dash: "dash"}}],
        annotations: [{xref: "paper", x: 1, xanchor: "right", y: log ? Math.log10(profile.threshold * factor) : profile.threshold * factor,
                       yanchor: "bottom", text: "threshold L0", showarrow: false}],
      });
      if (profile.series.some((series) => series.second)) {
        layout.yaxis2 = axis(profile.second, {overlaying: "y", side: "right", showgrid: false});
        layout.margin.r = 64;
      }
      return {traces, layout};
    });
  };

  // ---- the plane as a landscape
  const drawPlane = () => {
    const plane = data.plane;
    const logs = plane.z.map((row) => row.map((value) => value === null || value <= 0 ? null : Math.log10(value)));
    const pathLogs = plane.path.z.map((value) => value === null || value <= 0 ? null : Math.log10(value));
    const heights = [...logs.flat(), ...pathLogs].filter((value) => value !== null);
    const range = [plane.x, plane.y, heights].map((values) => [Math.min(...values), Math.max(...values)]);
    return show("plane", () => ({
      traces: [
        {type: "surface", x: plane.x, y: plane.y, z: logs, surfacecolor: plane.z.map((row) => row.map(place)), cmin: 0, cmax: 1,
         colorscale: heatScale(), showscale: false, hovertemplate: "%{text}<extra></extra>", text: plane.z.map((row) => row.map(unit)),
         contours: {z: {show: true, start: Math.log10(data.heat.low), end: Math.log10(data.heat.low), size: 1, width: 6, color: "#000000"}}},
        {type: "scatter3d", mode: "lines+markers", x: plane.path.x, y: plane.path.y,
         z: pathLogs, marker: {size: 3, color: css("--ink")},
         line: {color: css("--ink"), width: 4}, customdata: plane.path.name, hovertemplate: "%{customdata}<extra></extra>", showlegend: false},
      ],
      layout: base({margin: {l: 0, r: 0, t: 0, b: 0}, uirevision: "plane",
                    scene: {...["x", "y", "z"].reduce((axes, name, k) => ({...axes, [`${name}axis`]: bare(range[k])}), {}),
                            annotations: edgeTexts(range, ["along 1 to 2", "across", `log10 of the<br>${data.metric.name}:<br>${spanOf(range[2])}`]),
                            aspectmode: "manual", aspectratio: {x: 1.3, y: 1.3, z: 0.7}, camera: {eye: {x: 1.5, y: 1.5, z: 1}, center: {x: 0, y: 0, z: -0.12}}}}),
    }));
  };

  // ---- the curves of a sweep
  const drawCurve = (id, key, title) => {
    const curve = data.curve;
    const series = curve[key];
    const factor = data.metric.factor;
    const log = curve.log;
    return show(id, () => {
      const traces = [{type: "scatter", mode: "markers+lines", name: "this run", x: curve.threshold.map((value) => value * factor),
                       y: series.mean, error_y: {type: "data", array: series.error, visible: true}, customdata: curve.of,
                       hovertemplate: "%{y} at %{x}, %{customdata} connected<extra></extra>",
                       marker: {size: 9, color: css("--good")}, line: {color: css("--good"), width: 1}}];
      if (series.published) {
        traces.push({type: "scatter", mode: "markers", name: "published", x: series.published.x.map((value) => value * factor),
                     y: series.published.y, error_y: {type: "data", array: series.published.error, visible: true},
                     marker: {size: 9, symbol: "square-open", color: css("--bad")}});
      }
      const kind = log ? {type: "log"} : {};
      return {traces, layout: base({xaxis: axis(`threshold L0${data.metric.unit ? " (" + data.metric.unit + ")" : ""}`, kind),
                                    yaxis: axis(title, log && key === "beads" ? kind : {})})};
    });
  };

  const drawNow = (id) => {
    const draw = waiting.get(id);
    waiting.delete(id);
    return draw ? draw() : Promise.resolve();
  };

  // A pause in which the browser paints, and answers to whoever uses the page.
  const pause = () => new Promise((go) => requestAnimationFrame(() => setTimeout(go, 0)));

  const inView = (figure) => {
    const {top, bottom} = figure.getBoundingClientRect();
    return top < window.innerHeight && bottom > 0;
  };

  const start = async () => {
    if (typeof Plotly === "undefined") { return; }
    const gl = hasWebGL();
    if (byId("string") && string && gl) { waiting.set("string", drawString); }
    if (byId("profile") && data.profile) { waiting.set("profile", drawProfile); }
    if (byId("plane") && data.plane && gl) { waiting.set("plane", drawPlane); }
    if (byId("curve-length") && data.curve) {
      waiting.set("curve-length", () => drawCurve("curve-length", "length", "normalised length"));
      waiting.set("curve-beads", () => drawCurve("curve-beads", "beads", "beads"));
    }
    if (!gl && (string || data.plane)) {
      document.querySelectorAll(".no-webgl").forEach((note) => { note.hidden = false; });
    }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraws.forEach((draw) => draw()));
    const figure = (id) => byId(id).closest("figure");
    await pause();
    for (const id of [...waiting.keys()].filter((one) => inView(figure(one)))) {
      await drawNow(id);
      await pause();
    }
    performance.mark("interactive");
    const near = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
      entry.target.querySelectorAll(".live").forEach((live) => drawNow(live.id));
    }));
    waiting.forEach((draw, id) => near.observe(figure(id)));
    await new Promise((go) => setTimeout(go, 1500));  // whoever begins to use the page goes first
    while (waiting.size > 0) {
      await new Promise((go) => "requestIdleCallback" in window ? requestIdleCallback(go, {timeout: 2000}) : setTimeout(go, 200));
      await drawNow(waiting.keys().next().value);
    }
    near.disconnect();
  };
  start();
})();
