// SPDX-License-Identifier: Apache-2.0
// The run itself: what it came to, where it ran, what the preflight found.

const EXITS = ["clean", "a rule was broken", "inconclusive results only", "the harness broke"];

function tallyTable(model) {
  const seen = VERDICTS.filter((verdict) => model.run.results.some((r) => r.verdict === verdict));
  const count = (target, verdict) => model.run.results.filter((result) =>
    result.target === target && result.verdict === verdict).length;
  return el("table", {class: "tally"},
    el("thead", {}, el("tr", {}, el("th", {}, "target"),
      seen.map((verdict) => el("th", {class: "n"}, badge(verdict))))),
    el("tbody", {}, model.targets.map((target) => el("tr", {}, el("th", {scope: "row"}, target),
      seen.map((verdict) => el("td", {class: "n"}, String(count(target, verdict))))))));
}

function environmentTable(model) {
  const targets = Object.keys(model.run.environment.targets);
  const names = [...new Set(targets.flatMap((target) =>
    Object.keys(model.run.environment.targets[target])))].sort();
  if (names.length === 0) return null;
  return [el("h2", {}, "What the preflight found"), el("div", {class: "wide"}, el("table", {class:
    "environment"},
  el("thead", {}, el("tr", {}, el("th", {}, ""), targets.map((target) => el("th", {}, target)))),
  el("tbody", {}, names.map((name) => el("tr", {}, el("th", {scope: "row"}, name),
    targets.map((target) => el("td", {}, model.run.environment.targets[target][name] || "–")))))))];
}

function runView(model) {
  const {environment, summary} = model.run;
  return el("section", {},
    el("h1", {}, `Exit status ${summary.exit_status}: ${EXITS[summary.exit_status]}`),
    summary.interrupted && el("p", {class: "complaint"}, "Not all cases have run."),
    summary.complaints.map((text) => el("pre", {class: "complaint"}, text)),
    el("div", {class: "wide"}, tallyTable(model)),
    el("dl", {class: "facts"}, [["results", model.run.results.length],
      ["took", `${summary.seconds.toFixed(1)} s`], ["seed", environment.seed],
      ["kernel", environment.kernel_release], ["daemon", environment.version]].map(([term, value]) =>
      [el("dt", {}, term), el("dd", {}, String(value))])),
    environmentTable(model));
}
