// Design tokens, and the styles of common controls. Style sheets are constructed, so
// that the policy of a site need not allow inline styles. docs/embed.md lists the
// properties that begin with --ec-.

const light = `
  --bg: var(--ec-bg, #f2f6f3);
  --surface: var(--ec-surface, #ffffff);
  --sunk: var(--ec-sunk, #e6ece8);
  --ink: var(--ec-ink, #12201c);
  --muted: var(--ec-muted, #51605a);
  --line: var(--ec-line, #d2dbd6);
  --raised: #ffffff;
  --edge: #7d8a84;
  --accent: var(--ec-accent, #14493f);
  --on-accent: var(--ec-on-accent, #ffffff);
  --mine: var(--ec-mine, var(--accent));
  --on-mine: var(--ec-on-mine, var(--on-accent));
  --focus: #0b6b58;
  --time: var(--ec-time, #e29a16);
  --time-ink: #7f5200;
  --time-wash: #fdf1d8;
  --ember: var(--ec-ember, #d8421c);
  --ember-ink: #b02e0c;
  --ember-wash: #fde6df;
  --shade: 0 1px 2px rgb(18 32 28 / .06), 0 8px 28px rgb(18 32 28 / .10);
  --veil: rgb(14 26 22 / .45);
  --name-light: 42%;
  --name-wash: 92%;
`

const dark = `
  --bg: var(--ec-bg, #0e1513);
  --surface: var(--ec-surface, #19221f);
  --sunk: var(--ec-sunk, #232d2a);
  --ink: var(--ec-ink, #e8efeb);
  --muted: var(--ec-muted, #9baaa4);
  --line: var(--ec-line, #2a3632);
  --raised: #3a4843;
  --edge: #72827b;
  --accent: var(--ec-accent, #8ad6c2);
  --on-accent: var(--ec-on-accent, #06231c);
  --mine: var(--ec-mine, #1f584c);
  --on-mine: var(--ec-on-mine, #f0fffa);
  --focus: #8ad6c2;
  --time: var(--ec-time, #f0b03d);
  --time-ink: #f5c266;
  --time-wash: #33280f;
  --ember: var(--ec-ember, #ff7450);
  --ember-ink: #ff9678;
  --ember-wash: #3b1d14;
  --shade: 0 1px 2px rgb(0 0 0 / .4), 0 10px 32px rgb(0 0 0 / .45);
  --veil: rgb(0 0 0 / .6);
  --name-light: 78%;
  --name-wash: 30%;
`

export const base = `
:host {
  ${light}
  --font: var(--ec-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif);
  --radius: var(--ec-radius, 20px);
  --small: .8125rem;
  --normal: .9375rem;
  --large: 1.25rem;
  --huge: clamp(1.75rem, 1.3rem + 2.2vw, 2.5rem);
  --tap: 44px;
  color-scheme: light;
  display: block;
  font: 400 var(--normal)/1.45 var(--font);
  color: var(--ink);
  -webkit-text-size-adjust: 100%;
}
:host([hidden]) { display: none; }
@media (prefers-color-scheme: dark) { :host(:not([theme="light"])) { ${dark} color-scheme: dark; } }
:host([theme="dark"]) { ${dark} color-scheme: dark; }

*, *::before, *::after { box-sizing: border-box; }
h1, h2, h3, p, ol, ul, dl, dd, fieldset, legend, dialog { margin: 0; padding: 0; border: 0; }
ol, ul { list-style: none; }
h1, h2, h3 { font-size: inherit; line-height: 1.2; font-weight: 650; text-wrap: balance; }
[hidden] { display: none !important; }
bdi { overflow-wrap: anywhere; }
/* All locales run from left to right, even in a page that does not. */
h1, h2, h3, p, .hint, strong, .sub span, .clock > span, .chips span { unicode-bidi: plaintext; }
:host(:dir(rtl)) :is(.card, .details, .invite, .titles, dialog) :is(h1, h2, h3, p, strong, .hint) { text-align: right; }
.spoken {
  position: absolute; inline-size: 1px; block-size: 1px; margin: -1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap;
}
.icon, .mark { inline-size: 1.375rem; block-size: 1.375rem; flex: none; display: block; }
.ember { fill: var(--time); }
:focus { outline: none; }
:focus-visible { outline: 2.5px solid var(--focus); outline-offset: 2px; }

button, input, textarea { font: inherit; color: inherit; margin: 0; letter-spacing: inherit; }
button {
  display: inline-flex; align-items: center; justify-content: center; gap: .5rem;
  min-block-size: var(--tap); padding: .5rem 1.125rem; border: 1px solid transparent; border-radius: 14px;
  background: var(--sunk); font-weight: 600; line-height: 1.2; cursor: pointer; text-align: center;
  -webkit-tap-highlight-color: transparent; touch-action: manipulation;
  transition: background-color .15s, color .15s, transform .1s, opacity .15s;
}
button:hover { background: color-mix(in srgb, var(--sunk) 86%, var(--ink)); }
button:active { transform: scale(.98); }
button:is(:disabled, [aria-disabled="true"]) { opacity: .55; cursor: default; transform: none; }
button.primary { background: var(--accent); color: var(--on-accent); }
button.primary:hover { background: color-mix(in srgb, var(--accent) 88%, var(--on-accent)); }
button.danger { background: var(--ember-wash); color: var(--ember-ink); }
button.danger:hover { background: color-mix(in srgb, var(--ember-wash) 88%, var(--ember-ink)); }
button.ghost, button.tool { background: none; }
button.ghost:hover, button.tool:hover { background: var(--sunk); }
button.tool { inline-size: var(--tap); padding: 0; color: var(--muted); flex: none; border-radius: 50%; }
button.tool:hover { color: var(--ink); }
button.wide { inline-size: 100%; }

.field { display: grid; gap: .375rem; min-inline-size: 0; }
.field > label, .legend { font-weight: 600; font-size: var(--small); color: var(--ink); }
.hint { font-size: var(--small); color: var(--muted); }
input[type="text"], input[type="password"] {
  inline-size: 100%; min-block-size: 48px; padding: .625rem .875rem; font-size: 1rem;
  background: var(--surface); border: 1px solid var(--edge); border-radius: 14px;
  transition: border-color .15s, box-shadow .15s;
}
input::placeholder, textarea::placeholder { color: var(--muted); opacity: 1; }
input[type="text"]:focus-visible, input[type="password"]:focus-visible {
  outline: none; border-color: var(--focus); box-shadow: 0 0 0 1.5px var(--focus);
}
input[aria-invalid="true"] { border-color: var(--ember); box-shadow: 0 0 0 1px var(--ember); }

/* A switch is a styled checkbox. */
.switch { display: grid; grid-template-columns: 1fr auto; align-items: center; gap: .125rem 1rem; min-block-size: var(--tap); cursor: pointer; }
.switch > span:first-child { font-weight: 600; }
.switch > .hint { grid-column: 1; font-weight: 400; }
.switch > input {
  grid-column: 2; grid-row: 1; appearance: none; inline-size: 48px; block-size: 28px; margin: 0; border-radius: 14px; cursor: pointer;
  background: var(--edge); position: relative; transition: background-color .2s; flex: none;
}
.switch > .hint + input { grid-row: 1 / span 2; }
.switch > input::before {
  content: ""; position: absolute; inset-block-start: 3px; inset-inline-start: 3px; inline-size: 22px; block-size: 22px;
  border-radius: 50%; background: var(--surface); transition: inset-inline-start .2s;
}
.switch > input:checked { background: var(--accent); }
.switch > input:checked::before { inset-inline-start: 23px; }
.switch > input:disabled { opacity: .5; cursor: default; }

.alert { display: flex; gap: .5rem; align-items: flex-start; padding: .625rem .75rem; border-radius: 12px; background: var(--ember-wash); color: var(--ember-ink); font-weight: 550; }
.alert:empty { display: none; }

dialog {
  color: var(--ink); background: var(--surface); border-radius: 24px; box-shadow: var(--shade);
  inline-size: min(26rem, calc(100vw - 2rem)); max-block-size: min(44rem, calc(100dvh - 2rem));
  margin: auto; padding: 1.25rem; overflow: auto; overscroll-behavior: contain;
}
dialog::backdrop { background: var(--veil); }
dialog[open] { animation: rise .22s cubic-bezier(.2, .8, .3, 1); }
dialog .top { display: flex; align-items: center; justify-content: space-between; gap: .5rem; margin-block: -.375rem .5rem; margin-inline-end: -.5rem; }
dialog h2 { font-size: var(--large); }
dialog .body { display: grid; gap: 1rem; }
dialog .row-of-buttons { display: flex; flex-wrap: wrap; gap: .5rem; justify-content: flex-end; }
@media (max-width: 30rem) {
  dialog { margin-block-end: 0; inline-size: 100vw; max-inline-size: 100vw; border-end-start-radius: 0; border-end-end-radius: 0;
    padding-block-end: max(1.25rem, env(safe-area-inset-bottom)); }
  dialog .row-of-buttons > button { flex: 1 1 auto; }
}
@keyframes rise { from { opacity: 0; transform: translateY(12px); } }

@media (prefers-reduced-motion: reduce) {
  *, *::before, *::after { animation-duration: .01ms !important; animation-iteration-count: 1 !important; transition-duration: .01ms !important; scroll-behavior: auto !important; }
}
@media (forced-colors: active) {
  button, .bubble, dialog, .card { border: 1px solid ButtonBorder; }
  button.primary { forced-color-adjust: none; background: Highlight; color: HighlightText; }
  .switch > input { border: 1px solid ButtonText; background: ButtonFace; }
  .switch > input:checked { background: Highlight; forced-color-adjust: none; }
  .switch > input::before { background: ButtonText; }
  .fuse > i, .dot { background: Highlight !important; forced-color-adjust: none; }
}
`
