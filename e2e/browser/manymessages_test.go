package browser_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

const (
	manyMessages = 10_000 // messages in the room

	// longest bounds the time for which the page may be busy without a pause on a
	// busy machine. The test logs the measured time.
	longest = time.Second

	// mostRows bounds the number of messages in the document.
	mostRows = 400
)

// watchTasks records the lengths of tasks of more than 50 ms, and the times from a key
// to the frame that shows it.
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

// TestPageManyMessages opens a room with ten thousand messages. The page keeps few of
// them in the document, and stays responsive while the user scrolls through all of them,
// and types while others publish.
func TestPageManyMessages(t *testing.T) {
	s := browser.ChatSite(t, "")
	admin := s.API(0).Create(t, 3600)
	k, _ := harness.Join(t, s.Base(0), &admin)
	for i := range manyMessages {
		k.Publish(t, fmt.Sprintf("message %d: the quick brown fox jumps over the lazy dog https://example.com/%d", i+1, i+1))
	}
	k.AwaitText(t, fmt.Sprintf("message %d: the quick brown fox jumps over the lazy dog https://example.com/%[1]d", manyMessages))

	b := browser.NewUser(t, browser.Device{}).OpenBlank(t, s.Base(0))
	b.RunOnLoad(watchTasks)
	b.Visit(s.Base(0) + "/#" + admin.RoomID)
	b.Join("Ben")
	b.AwaitText(fmt.Sprintf("message %d:", manyMessages))

	start := time.Now()
	scrolled := browser.Eval[struct {
		Frames, Rows, First int
		Slowest             float64
	}](b, scrollUp)
	took := time.Since(start)
	t.Logf("scrolled through %d messages in %s, %d frames, the slowest %.0f ms, %d rows at most; %s",
		manyMessages, took.Round(time.Millisecond), scrolled.Frames, scrolled.Slowest, scrolled.Rows, longTasks(t, b))
	if scrolled.First != 1 {
		t.Errorf("the oldest message that was reached is %d", scrolled.First)
	}
	if scrolled.Rows > mostRows {
		t.Errorf("%d messages are in the document", scrolled.Rows)
	}

	// Typing while another member publishes a hundred messages a second.
	b.Click("button", "To the newest message")
	b.Find("textbox", "Message").Click()
	writer := harness.StartClient(t, s.API(0).Join(t, admin.RoomID, "writer"), s.Base(0))
	stopPublishing := harness.KeepPublishing(10*time.Millisecond, writer)
	typed := "I type while others publish, and every letter appears at once."
	for _, letter := range typed {
		b.Type(string(letter))
	}
	stopPublishing()
	if got := b.Find("textbox", "Message").Value; got != typed {
		t.Errorf("typed %q, there is %q", typed, got)
	}
	delays := browser.Eval[struct{ Median, Worst float64 }](b, "(() => { const d = delays.toSorted((a, b) => a - b); return { Median: d[d.length >> 1], Worst: d.at(-1) } })()")
	t.Logf("from a letter to its frame: median %.1f ms, at worst %.1f ms; %s", delays.Median, delays.Worst, longTasks(t, b))
	if rows := len(b.Messages()); rows > mostRows {
		t.Errorf("%d messages are in the document", rows)
	}
}

// longTasks describes the long tasks since its last call, and fails the test if one was
// too long.
func longTasks(t *testing.T, b *browser.Tab) string {
	t.Helper()
	lengths := browser.Eval[[]float64](b, "tasks.splice(0)")
	sum, most := 0.0, 0.0
	for _, length := range lengths {
		sum += length
		most = max(most, length)
	}
	if most > float64(longest.Milliseconds()) {
		t.Errorf("busy for %.0f ms without a pause", most)
	}
	return fmt.Sprintf("%d tasks of more than 50 ms, %.0f ms in all, the longest %.0f ms", len(lengths), sum, most)
}
