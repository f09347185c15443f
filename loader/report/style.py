"""The style of the report page: light and dark, paper, and a phone."""

STYLE = """
:root { color-scheme: light dark;
  --back: #f6f6f3; --card: #ffffff; --text: #1d2126; --quiet: #5a626b; --line: #dcdedd;
  --bar: #3b76b5; --most: #1d4b7d; --good: #17682f; --bad: #a8231a; --bad-back: #fdf1ef;
  --good-back: #eef7f0; --code: #eeeeea }
@media (prefers-color-scheme: dark) { :root {
  --back: #14171a; --card: #1c2024; --text: #e6e8ea; --quiet: #a0a8b0; --line: #343a40;
  --bar: #5f9edb; --most: #b5d7f7; --good: #6fcf8b; --bad: #ff9a8d; --bad-back: #33201f;
  --good-back: #1a2a20; --code: #2a2f35 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 3rem }
h1 { font-size: 1.9rem; line-height: 1.2; margin: .1rem 0 .6rem; overflow-wrap: anywhere }
h2 { font-size: 1.15rem; margin: 0 0 .8rem }
h3 { font-size: 1rem; margin: 1.4rem 0 .5rem }
p { margin: .4rem 0; max-width: 46rem }
a { color: inherit }
section, .verdict { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 1.1rem 1.3rem 1.2rem; margin: 0 0 1rem }
.verdict { border-left: 8px solid }
.verdict.good { border-left-color: var(--good); background: var(--good-back) }
.verdict.bad { border-left-color: var(--bad); background: var(--bad-back) }
.good .mark, .state.good { color: var(--good) }
.bad .mark, .state.bad, .warning { color: var(--bad) }
.from, .when, .note, small, figcaption { color: var(--quiet); overflow-wrap: anywhere }
.when, .note, figcaption { font-size: .875rem }
.lead { font-size: 1.05rem }
.todo { margin: .6rem 0 1rem }
.todo dt { font-weight: 600; margin-top: .7rem }
.todo dd { margin: .1rem 0 0 }
.todo ul { margin: 0; padding-left: 1.2rem; overflow-wrap: anywhere }
code, pre { font: .9em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  unicode-bidi: isolate; overflow-wrap: anywhere }
pre { margin: .2rem 0; padding: .6rem .8rem; background: var(--code); border-radius: 6px;
  white-space: pre-wrap; user-select: all }
.sums { list-style: none; margin: 0; padding: 0 }
.sums li { display: flex; flex-wrap: wrap; align-items: baseline; gap: .2rem .8rem;
  padding: .55rem 0; border-top: 1px solid var(--line) }
.sums li:first-child { border-top: 0 }
.pair { display: inline-flex; gap: .7rem }
.term { display: inline-flex; flex-direction: column }
.term b { font-size: 1.35rem; line-height: 1.2; font-variant-numeric: tabular-nums }
.sign { font-size: 1.2rem; color: var(--quiet) }
.state { margin-left: auto; font-weight: 600; white-space: nowrap }
figure { margin: 0 0 1.2rem; min-width: 0; display: flex; flex-direction: column;
  justify-content: space-between }
figcaption { margin-bottom: .3rem }
figcaption b { color: var(--text); font-size: 1rem; display: block }
.two, .three { display: grid; gap: 0 2rem }
.two { grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)) }
.three { grid-template-columns: repeat(auto-fit, minmax(min(16rem, 100%), 1fr)) }
.chart { display: block; overflow: visible }
.chart text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  fill: var(--text) }
.chart .tick { font-size: 12px; fill: var(--quiet); paint-order: stroke; stroke: var(--card);
  stroke-width: 3px }
.chart .end { text-anchor: end }
.bar { fill: var(--bar) }
.bar.most { fill: var(--most) }
.grid { stroke: var(--line) }
.mean { stroke: var(--text); stroke-dasharray: 5 4 }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .93rem; font-variant-numeric: tabular-nums }
th, td { text-align: left; vertical-align: top; padding: .3rem .9rem .3rem 0;
  border-bottom: 1px solid var(--line) }
th:last-child, td:last-child { padding-right: 0 }
td:last-child:not(.number) { overflow-wrap: anywhere; min-width: 9rem }
th code { display: inline-block; min-width: 5rem }
thead th { color: var(--quiet); font-weight: 600; white-space: nowrap }
tbody th { font-weight: 400 }
.number { text-align: right; white-space: nowrap }
details { margin-top: .6rem }
summary { cursor: pointer; color: var(--quiet); font-size: .875rem }
@media (max-width: 36rem) { main { padding: .6rem .5rem 2rem } h1 { font-size: 1.5rem }
  section, .verdict { padding: .9rem .9rem 1rem } .state { margin-left: 0; width: 100% }
  .term b { font-size: 1.15rem } th, td { padding-right: .8rem } }
@media print { :root { color-scheme: light;
  --back: #fff; --card: #fff; --text: #000; --quiet: #444; --line: #bbb; --bar: #3b76b5;
  --most: #1d4b7d; --good: #17682f; --bad: #a8231a; --bad-back: #fff; --good-back: #fff;
  --code: #fff }
  .tables { display: block } .wide { overflow: visible } table { font-size: 9pt }
  body { font-size: 11pt } main { max-width: none; padding: 0 }
  section, .verdict { break-inside: avoid; border-radius: 0 }
  rect { print-color-adjust: exact; -webkit-print-color-adjust: exact } }
"""
