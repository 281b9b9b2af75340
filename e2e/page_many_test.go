package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
)

const (
	manyMessages = 10_000 // messages in the room

	// longest is how long the page may be busy at a stretch on a busy machine
	// before people would notice; what it was is in the log.
	longest = time.Second

	// mostRows is how many messages may be in the document, of however many.
	mostRows = 400
)

// watchTasks notes the lengths of tasks of more than 50 ms, and how long it takes
// from a key to the frame that shows it.
const watchTasks = `
	window.tasks = []
	new PerformanceObserver(list => tasks.push(...list.getEntries().map(e => e.duration))).observe({ type: 'longtask', buffered: true })
	window.delays = []
	addEventListener('input', () => {
		const start = performance.now()
		requestAnimationFrame(() => setTimeout(() => delays.push(performance.now() - start)))
	}, true)`

// scrollUp scrolls through a room from its newest message to its oldest one, as fast
// as frames come, and returns how many frames it took, the longest of them, and how
// many messages were in the document at most.
const scrollUp = `new Promise(resolve => {
	const list = document.querySelector('ephemeral-chat').shadowRoot.querySelector('[role=log]')
	let frames = 0, slowest = 0, rows = 0, last = performance.now()
	const step = () => {
		const now = performance.now()
		frames++
		slowest = Math.max(slowest, now - last)
		last = now
		const seen = list.querySelectorAll('[data-seq]')
		rows = Math.max(rows, seen.length)
		if (seen[0]?.dataset.seq === '1' && list.scrollTop < 5 || frames > 20000) resolve({ frames, slowest, rows, first: Number(seen[0]?.dataset.seq) })
		else {
			list.scrollTop -= 700
			requestAnimationFrame(step)
		}
	}
	step()
})`

// TestPageManyMessages is of a room with ten thousand messages: the page keeps few of them
// in the document, and stays quick while one scrolls through all of them and types
// while others talk.
func TestPageManyMessages(t *testing.T) {
	s := chatSite(t, "")
	admin := s.api(0).create(t, 3600)
	k, _ := enter(t, s.base(0), &admin)
	for i := range manyMessages {
		k.say(t, fmt.Sprintf("message %d: the quick brown fox jumps over the lazy dog https://example.com/%d", i+1, i+1))
	}
	k.awaitText(t, fmt.Sprintf("message %d: the quick brown fox jumps over the lazy dog https://example.com/%[1]d", manyMessages))

	b := newPerson(t, look{}).openBlank(t, s.base(0))
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watchTasks})
	b.visit(s.base(0) + "/#" + admin.RoomID)
	b.join("Ben")
	b.awaitText(fmt.Sprintf("message %d:", manyMessages))

	start := time.Now()
	scrolled := eval[struct {
		Frames, Rows, First int
		Slowest             float64
	}](b, scrollUp)
	took := time.Since(start)
	t.Logf("scrolled through %d messages in %s, %d frames, the slowest %.0f ms, %d rows at most; %s",
		manyMessages, took.Round(time.Millisecond), scrolled.Frames, scrolled.Slowest, scrolled.Rows, b.tasks())
	if scrolled.First != 1 {
		t.Errorf("the oldest message that was reached is %d", scrolled.First)
	}
	if scrolled.Rows > mostRows {
		t.Errorf("%d messages are in the document", scrolled.Rows)
	}

	// Typing, at the end of the room, while somebody says a hundred things a second.
	b.click("button", "To the newest message")
	b.find("textbox", "Message").click()
	busy, quiet := make(chan struct{}), make(chan struct{})
	// It ends when the typing does, which is waited for.
	go func() {
		defer close(quiet)
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for i := 0; ; i++ {
			select {
			case <-busy:
				return
			case <-ticker.C:
				if k.write(fields{"type": "message", "message": fmt.Sprint("meanwhile ", i)}) != nil {
					return
				}
			}
		}
	}()
	typed := "I type while everybody talks, and every letter is there at once."
	for _, letter := range typed {
		call(b, input.InsertText, input.InsertTextParams{Text: string(letter)})
	}
	close(busy)
	<-quiet
	if got := b.find("textbox", "Message").value; got != typed {
		t.Errorf("typed %q, there is %q", typed, got)
	}
	delays := eval[struct{ Median, Worst float64 }](b, "(() => { const d = delays.toSorted((a, b) => a - b); return { Median: d[d.length >> 1], Worst: d.at(-1) } })()")
	t.Logf("from a letter to its frame: median %.1f ms, at worst %.1f ms; %s", delays.Median, delays.Worst, b.tasks())
	if rows := len(b.messages()); rows > mostRows {
		t.Errorf("%d messages are in the document", rows)
	}
}

// tasks describes the long tasks since the last time, and fails the test if one was
// too long.
func (b *tab) tasks() string {
	b.t.Helper()
	lengths := eval[[]float64](b, "tasks.splice(0)")
	sum, most := 0.0, 0.0
	for _, length := range lengths {
		sum += length
		most = max(most, length)
	}
	if most > float64(longest.Milliseconds()) {
		b.t.Errorf("busy for %.0f ms at a stretch", most)
	}
	return fmt.Sprintf("%d tasks of more than 50 ms, %.0f ms in all, the longest %.0f ms", len(lengths), sum, most)
}
