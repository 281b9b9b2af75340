// The styles of the shell (page, inline or bubble) and of the other views: to create
// a room, to join one, and after its end.

export const views = `
:host([mode="page"]) { block-size: 100vh; block-size: var(--viewport, 100dvh); }
:host(:not([mode])), :host([mode="inline"]) { block-size: var(--ec-height, min(40rem, 85vh)); }
:host([mode="bubble"]) { display: contents; }

.frame { container: frame / inline-size; position: relative; block-size: 100%; inline-size: 100%; background: var(--bg); overflow: hidden; isolation: isolate; }
:host(:not([mode="page"])) .frame { border-radius: var(--radius); border: 1px solid var(--line); }
/* A warm glow at the bottom. */
.start, .placeholder { background: radial-gradient(130% 55% at 50% 112%, color-mix(in srgb, var(--time) 26%, transparent), transparent 70%) no-repeat; }
.view { block-size: 100%; overflow: auto; overscroll-behavior: contain; display: grid; }

/* The bubble and its panel. */
.launcher {
  position: fixed; z-index: var(--ec-z, 2147483000); inset-block-end: max(var(--ec-offset, 1.25rem), env(safe-area-inset-bottom)); inset-inline-end: var(--ec-offset, 1.25rem);
  inline-size: 60px; block-size: 60px; padding: 0; border-radius: 50%; background: var(--accent); color: var(--on-accent); box-shadow: var(--shade);
}
.launcher:hover { background: color-mix(in srgb, var(--accent) 88%, var(--on-accent)); }
.launcher .mark { inline-size: 32px; block-size: 32px; }
.launcher .dot {
  position: absolute; inset-block-start: -4px; inset-inline-end: -4px; min-inline-size: 24px; block-size: 24px; padding-inline: 6px; border-radius: 12px;
  background: var(--ember-ink); color: var(--surface); font-size: var(--small); line-height: 24px; font-weight: 700; font-variant-numeric: tabular-nums; box-shadow: 0 0 0 2.5px var(--surface);
}
dialog.panel {
  position: fixed; z-index: var(--ec-z, 2147483000); margin: 0; padding: 0; overflow: hidden; border: 0; background: var(--bg);
  inset: auto var(--ec-offset, 1.25rem) calc(var(--ec-offset, 1.25rem) + 72px) auto;
  inset-inline: auto var(--ec-offset, 1.25rem);
  inline-size: min(var(--ec-width, 24rem), calc(100vw - 2.5rem)); block-size: min(var(--ec-height, 38rem), calc(100dvh - 8rem)); max-block-size: none;
  border-radius: var(--radius);
}
dialog.panel .frame { border: 0 !important; border-radius: 0 !important; }
.panel .close { position: absolute; z-index: 3; inset-block-start: .625rem; inset-inline-end: .5rem; }
@media (max-width: 30rem), (max-height: 32rem) {
  dialog.panel { inset: 0; inline-size: 100vw; max-inline-size: 100vw; block-size: 100vh; block-size: var(--viewport, 100dvh); border-radius: 0; }
}

/* Forms. */
.start { align-items: start; justify-items: center; padding: clamp(1rem, 4cqi, 3rem); gap: clamp(1.25rem, 4cqi, 4rem); align-content: safe center; }
.start ::slotted([slot="intro"]) { max-inline-size: 30rem; }
.card { inline-size: 100%; max-inline-size: 27rem; background: var(--surface); border-radius: 28px; padding: clamp(1.25rem, 4cqi, 1.75rem); box-shadow: var(--shade); }
form { display: grid; gap: 1.125rem; }
form > h1, form > h2 { font-size: var(--large); }
.pair { display: grid; gap: 1.125rem; }
.chips { display: grid; grid-template-columns: repeat(auto-fit, minmax(3.25rem, 1fr)); gap: .375rem; padding: .25rem; background: var(--sunk); border-radius: 16px; }
.chips label { position: relative; display: grid; place-items: center; min-block-size: var(--tap); border-radius: 12px; font-weight: 600; font-size: .875rem; cursor: pointer; color: var(--muted); text-align: center; transition: background-color .15s; }
.chips label:hover { color: var(--ink); }
.chips input { position: absolute; inset: 0; opacity: 0; margin: 0; cursor: pointer; }
.chips label.on { background: var(--raised); color: var(--ink); box-shadow: 0 1px 3px rgb(0 0 0 / .14); }
.chips label:focus-within:has(:focus-visible) { outline: 2.5px solid var(--focus); }
.options { display: grid; gap: .5rem; border-block: 1px solid var(--line); padding-block: .625rem; }
.facts { display: flex; flex-wrap: wrap; gap: .375rem; }
.fact { display: inline-flex; align-items: center; gap: .375rem; padding: .25rem .75rem .25rem .5rem; border-radius: 999px; background: var(--sunk); color: var(--muted); font-size: var(--small); font-weight: 600; }
.fact .icon { inline-size: 1.125rem; block-size: 1.125rem; }
.fact.time { background: var(--time-wash); color: var(--time-ink); }

/* Placeholder views. */
.placeholder { place-content: center; justify-items: center; text-align: center; gap: .75rem; padding: 2rem 1.5rem; }
.placeholder .mark { inline-size: 72px; block-size: 72px; color: var(--muted); margin-block-end: .5rem; }
.placeholder h1, .placeholder h2 { font-size: var(--huge); letter-spacing: -.02em; }
.placeholder p { color: var(--muted); max-inline-size: 26rem; text-wrap: pretty; font-size: 1rem; }
.placeholder .row-of-buttons { margin-block-start: 1rem; display: flex; gap: .5rem; flex-wrap: wrap; justify-content: center; }
.gone .mark path { stroke-dasharray: .1 3.4; opacity: .55; }
.gone .mark .ember { animation: drift 2.4s ease-out both; }
@keyframes drift { from { transform: translate(-5px, 4px); opacity: 0; } }
.loading .mark { animation: wait 1.6s ease-in-out infinite alternate; opacity: .2; }
@keyframes wait { to { opacity: .6; } }

@container frame (min-width: 56rem) {
  .start.with-intro { grid-template-columns: minmax(0, 30rem) minmax(0, 27rem); justify-content: center; align-items: center; }
}
@container frame (min-width: 21rem) {
  .pair { grid-template-columns: 1fr 1fr; gap: .75rem; }
}
`
