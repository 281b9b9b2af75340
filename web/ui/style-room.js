// The styles of the chat view.

export const room = `
.room { display: grid; grid-template-columns: minmax(0, 1fr); grid-template-rows: minmax(0, 1fr); overflow: hidden; }
.talk { display: grid; grid-template-rows: auto auto minmax(0, 1fr) auto auto; min-inline-size: 0; min-block-size: 0; background: var(--bg); }
.side { display: none; overflow: auto; overscroll-behavior: contain; background: var(--surface); border-inline-start: 1px solid var(--line); padding: 1.25rem; }
.room.broad { grid-template-columns: minmax(0, 1fr) 20rem; }
.room.broad .side { display: block; }
.room.broad .when-narrow, .room.broad .welcome .invite { display: none; }

/* Header. */
.bar { display: flex; align-items: center; gap: .25rem; min-block-size: 64px; padding-block: .5rem; padding-inline: 1rem .5rem; background: var(--surface); }
.panel .bar { padding-inline-end: 3.5rem; }
.titles { flex: 1; min-inline-size: 0; display: grid; gap: .125rem; }
.title { font-size: 1.0625rem; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; letter-spacing: -.01em; line-height: 1.3; }
.sub { display: flex; align-items: center; gap: .625rem; color: var(--muted); font-size: var(--small); white-space: nowrap; overflow: hidden; min-block-size: 1.2rem; }
.sub span { display: inline-flex; align-items: center; gap: .25rem; }
.sub .icon { inline-size: .9375rem; block-size: .9375rem; }
.sub .dot { inline-size: .5rem; block-size: .5rem; border-radius: 50%; background: #2a9d78; }
.clock {
  display: inline-flex; align-items: center; gap: .375rem; min-block-size: 36px; padding-inline: .625rem .75rem; border-radius: 999px; white-space: nowrap; margin-inline-end: .25rem;
  font-weight: 650; font-size: .875rem; font-variant-numeric: tabular-nums; background: var(--sunk); color: var(--muted); transition: background-color .6s, color .6s;
}
.clock .icon { inline-size: 1.125rem; block-size: 1.125rem; }
[data-phase="running"] .clock { background: var(--time-wash); color: var(--time-ink); }
[data-phase="last"] .clock { background: var(--ember-wash); color: var(--ember-ink); }

/* The fuse shows the time left. */
.fuse { block-size: 3px; background: var(--line); overflow: hidden; contain: strict; }
.fuse > i { display: block; block-size: 100%; inline-size: calc(var(--left, 0) * 100%); background: linear-gradient(90deg, color-mix(in srgb, var(--time) 45%, transparent), var(--time)); }
:host(:dir(rtl)) .fuse > i { scale: -1 1; }
[data-phase="last"] .fuse > i { background: linear-gradient(90deg, var(--time), var(--ember)); }

/* Messages. */
.list { position: relative; min-block-size: 0; contain: strict; }
.scroll { position: absolute; inset: 0; overflow: auto; overflow-anchor: none; overscroll-behavior: contain; padding-inline: 1rem; scrollbar-gutter: stable; scrollbar-width: thin; }
.scroll > .column { display: flex; flex-direction: column; min-block-size: 100%; max-inline-size: 46rem; margin-inline: auto; padding-block: 1rem .25rem; }
.column > .before { flex: 1; display: grid; align-items: center; }
.older { min-block-size: 1.75rem; text-align: center; color: var(--muted); font-size: var(--small); }
.row { display: grid; grid-template-columns: 36px minmax(0, 1fr); column-gap: .625rem; padding-block: 1.5px; border-radius: 14px; position: relative; }
.row:focus-visible { outline-offset: 1px; }
.row.lead { margin-block-start: .875rem; }
.row.lead:first-child { margin-block-start: 0; }
.avatar {
  inline-size: 36px; block-size: 36px; border-radius: 50%; display: grid; place-items: center; font-weight: 700; font-size: .875rem; user-select: none; overflow: hidden; flex: none;
  background: oklch(var(--name-wash) .055 calc(var(--hue, 0) * 30)); color: oklch(var(--name-light) .1 calc(var(--hue, 0) * 30));
}
.row > .avatar { grid-row: 1 / span 2; }
.row > .head, .row > .say { grid-column: 2; }
.head { display: flex; align-items: baseline; gap: .5rem; font-size: var(--small); color: var(--muted); padding-inline: .25rem; margin-block-end: .1875rem; min-inline-size: 0; }
.head .who { font-weight: 650; color: oklch(var(--name-light) .1 calc(var(--hue, 0) * 30)); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; min-inline-size: 0; }
.head time { white-space: nowrap; flex: none; }
.say { display: flex; align-items: center; gap: .25rem; min-inline-size: 0; }
.bubble {
  max-inline-size: min(34rem, 88%); min-inline-size: 0; padding: .5rem .8125rem; border-radius: 18px; background: var(--surface); border: 1px solid var(--line);
  white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext; overflow: clip; font-size: 1rem; line-height: 1.42;
}
.row.lead .bubble { border-start-start-radius: 6px; }
.bubble a { color: inherit; text-decoration: underline; text-decoration-thickness: 1.5px; text-underline-offset: 2px; unicode-bidi: isolate; border-radius: 3px; }
.row.mine { grid-template-columns: minmax(0, 1fr); }
.row.mine > .head, .row.mine > .say { grid-column: 1; justify-content: flex-end; }
.row.mine .bubble { background: var(--mine); color: var(--on-mine); border-color: transparent; }
.row.mine.lead .bubble { border-start-start-radius: 18px; border-start-end-radius: 6px; }
.row.mine .bubble a:focus-visible { outline-color: var(--on-mine); }
.row .bubble.emoji { background: none; border-color: transparent; padding: 0 .25rem; font-size: 2.625rem; line-height: 1.2; overflow: visible; }
.row .bubble.quiet { background: none; border: 1px dashed var(--edge); color: var(--muted); font-size: .875rem; }
.warn { display: flex; align-items: center; gap: .25rem; font-size: var(--small); color: var(--ember-ink); font-weight: 600; }
.row.fresh { margin-block-start: 2.75rem; }
.row > .marker { position: absolute; inset-block-start: -2rem; inset-inline: 0; display: flex; align-items: center; gap: .75rem; color: var(--ember-ink); font-size: var(--small); line-height: 1.25rem; font-weight: 700; }
.marker::before, .marker::after { content: ""; flex: 1; block-size: 1px; background: currentColor; opacity: .4; }
.row .act { color: var(--muted); inline-size: 36px; min-block-size: 36px; border-radius: 50%; order: 2; }
.row.mine .act { order: -1; }
.row .act .icon { inline-size: 1.125rem; block-size: 1.125rem; }
@media (pointer: coarse) { .row .act { inline-size: var(--tap); min-block-size: var(--tap); margin-block: -4px; } }
.row.pending .bubble { opacity: .86; }
.row.failed .bubble { opacity: 1; background: var(--ember-wash); color: var(--ember-ink); border-color: var(--ember); }
.fate { display: flex; justify-content: flex-end; align-items: center; flex-wrap: wrap; gap: .125rem .375rem; font-size: var(--small); color: var(--muted); padding-inline: .25rem; min-block-size: 1.25rem; }
.row.failed .fate { color: var(--ember-ink); font-weight: 600; }
.fate button { padding-inline: .75rem; font-size: var(--small); }

/* The text of an empty room. */
.welcome { display: grid; justify-items: center; text-align: center; gap: .5rem; margin: auto; padding: 1rem .25rem 1.5rem; max-inline-size: 25rem; inline-size: 100%; }
.welcome .mark { inline-size: 52px; block-size: 52px; color: var(--accent); margin-block-end: .25rem; }
.welcome h2 { font-size: var(--large); letter-spacing: -.01em; }
.welcome p { color: var(--muted); text-wrap: pretty; }
.welcome .invite { inline-size: 100%; margin-block-start: 1rem; background: var(--surface); border: 1px solid var(--line); border-radius: 22px; padding: 1rem; text-align: start; }

/* Over the list: the connection banner and the button to the end. */
.net { position: absolute; inset-block-start: .625rem; inset-inline: 1rem; display: flex; justify-content: center; pointer-events: none; z-index: 2; }
.net > div { pointer-events: auto; display: inline-flex; align-items: center; gap: .5rem; min-block-size: 40px; padding-inline: .875rem; border-radius: 20px; background: var(--ink); color: var(--bg); font-size: .875rem; font-weight: 550; box-shadow: var(--shade); font-variant-numeric: tabular-nums; }
.net button { min-block-size: var(--tap); margin-block: -2px; margin-inline-end: -.75rem; padding-inline: .75rem; background: none; color: inherit; text-decoration: underline; text-underline-offset: 3px; }
.net .icon { inline-size: 1.125rem; block-size: 1.125rem; }
.net.good > div { background: var(--accent); color: var(--on-accent); }
.to-end { position: absolute; inset-block-end: .75rem; inset-inline-end: 1.25rem; z-index: 2; border-radius: 22px; padding-inline: .75rem; background: var(--surface); border-color: var(--line); box-shadow: var(--shade); color: var(--ink); }
.to-end.some { background: var(--accent); color: var(--on-accent); border-color: transparent; }

/* Below the list. */
.status { block-size: 1.5rem; padding-inline: 1.5rem; inline-size: 100%; max-inline-size: 48rem; margin-inline: auto; color: var(--muted); font-size: var(--small); line-height: 1.5rem; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.status i { display: inline-block; inline-size: 4px; block-size: 4px; border-radius: 50%; background: currentColor; margin-inline-end: 3px; vertical-align: middle; animation: hop 1.2s infinite; }
.status i:nth-child(2) { animation-delay: .15s; }
.status i:nth-child(3) { animation-delay: .3s; margin-inline-end: .5rem; }
@keyframes hop { 30% { transform: translateY(-3px); } 60% { transform: none; } }
.composer { padding: .125rem .75rem max(.75rem, env(safe-area-inset-bottom)); }
.composer > div { position: relative; display: flex; align-items: flex-end; gap: .25rem; max-inline-size: 46rem; margin-inline: auto; background: var(--surface); border: 1px solid var(--edge); border-radius: 26px; padding: 3px; transition: border-color .15s, box-shadow .15s; }
.composer > div:focus-within { border-color: var(--focus); box-shadow: 0 0 0 1px var(--focus); }
.grow { flex: 1; min-inline-size: 0; display: grid; max-block-size: min(11rem, 30vh); overflow: auto; scrollbar-width: thin; }
.grow > textarea, .grow > .mirror { grid-area: 1 / 1; padding: .6875rem .25rem; font-size: 1rem; line-height: 1.375rem; white-space: pre-wrap; overflow-wrap: anywhere; min-block-size: var(--tap); }
.grow > textarea { border: 0; background: none; resize: none; overflow: hidden; outline: none; inline-size: 100%; block-size: 100%; }
.grow > .mirror { visibility: hidden; pointer-events: none; }
.composer .send { background: var(--accent); color: var(--on-accent); transition: background-color .15s, opacity .15s; }
.composer .send[aria-disabled="true"] { background: var(--sunk); color: var(--muted); }
.picker { position: absolute; inset-block-end: calc(100% + .5rem); inset-inline-start: 0; z-index: 4; background: var(--surface); border: 1px solid var(--line); border-radius: 20px; box-shadow: var(--shade); padding: .375rem; display: grid; grid-template-columns: repeat(6, var(--tap)); max-block-size: 14.5rem; overflow: auto; max-inline-size: calc(100cqi - 1.5rem); }
.picker button { inline-size: var(--tap); padding: 0; background: none; font-size: 1.5rem; font-weight: 400; border-radius: 12px; }
.picker button:hover { background: var(--sunk); }

/* At the end the messages dissolve. */
.room.ending .row { animation: vanish .9s ease-in both; }
.room.ending .row:nth-child(3n) { animation-delay: .12s; }
.room.ending .row:nth-child(3n+1) { animation-delay: .24s; }
@keyframes vanish { to { opacity: 0; transform: translateY(-14px) scale(.98); filter: blur(5px); } }

/* Room and people. */
.details { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1.5rem; align-content: start; }
.details section { display: grid; grid-template-columns: minmax(0, 1fr); gap: .625rem; }
.details .part { font-size: var(--small); color: var(--muted); font-weight: 650; }
.big-clock { display: grid; gap: .375rem; }
.big-clock strong { font-size: 2rem; line-height: 1.1; letter-spacing: -.03em; font-weight: 650; font-variant-numeric: tabular-nums; }
.big-clock .fuse { inline-size: 100%; block-size: 6px; border-radius: 3px; }
.big-clock .fuse > i { border-radius: 3px; }
[data-phase="last"] .big-clock strong { color: var(--ember-ink); }
.person { display: flex; align-items: center; gap: .625rem; min-block-size: var(--tap); }
.person .avatar { inline-size: 32px; block-size: 32px; font-size: .8125rem; }
.person .name { flex: 1; min-inline-size: 0; display: flex; align-items: baseline; gap: .375rem; white-space: nowrap; font-weight: 550; }
.person .name bdi { overflow: hidden; text-overflow: ellipsis; }
.person .tag { color: var(--muted); font-weight: 400; font-size: var(--small); }
.person .tool { margin-inline-end: -.5rem; }
.acts { display: grid; gap: .375rem; }
.acts button { justify-content: flex-start; padding-inline: .875rem; }

/* Invitation. */
.share { display: grid; grid-template-columns: minmax(0, 1fr); gap: .75rem; }
.share .link { display: flex; gap: .375rem; }
.share .link input { font-size: .875rem; min-block-size: var(--tap); text-overflow: ellipsis; direction: ltr; }
.share .buttons { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: .375rem; }
.share .buttons button { white-space: nowrap; padding-inline: .5rem; gap: .375rem; }
.qr { background: #fff; color: #000; border-radius: 16px; padding: .5rem; justify-self: center; inline-size: min(15rem, 100%); aspect-ratio: 1; border: 1px solid var(--line); }
.qr svg { display: block; inline-size: 100%; block-size: 100%; shape-rendering: crispEdges; }
.emoji-face { font-family: "Apple Color Emoji", "Segoe UI Emoji", "Noto Color Emoji", sans-serif; }

@container frame (max-width: 23rem) {
  .bar { padding-inline-start: .75rem; }
  .clock .icon { display: none; }
  .clock { padding-inline: .625rem; }
}
`
