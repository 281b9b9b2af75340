package e2e_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestClientInDocs runs the program that docs/client.md shows.
func TestClientInDocs(t *testing.T) {
	installNode(t)
	text, err := os.ReadFile(filepath.Join(repository(), "docs", "client.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, program, found := strings.Cut(string(text), "```js\n// bot.mjs\n")
	program, _, closed := strings.Cut(program, "```")
	if !found || !closed {
		t.Fatal("docs/client.md shows no bot")
	}
	dir := t.TempDir()
	for name, target := range map[string]string{
		"web": filepath.Join(repository(), "web"), "node_modules": filepath.Join(repository(), "e2e", "node", "node_modules"),
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "bot.mjs"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}

	s := memorySite(t, "")
	admin := s.api(0).create(t, 600)
	k, _ := enter(t, s.base(0), &admin)
	ctx, cancel := context.WithTimeout(t.Context(), scriptTime)
	defer cancel()
	bot := exec.CommandContext(ctx, "node", "bot.mjs", s.base(0), admin.RoomID)
	bot.Dir = dir
	var output bytes.Buffer
	bot.Stdout, bot.Stderr = &output, &output
	if err := bot.Start(); err != nil {
		t.Fatal(err)
	}
	k.await(t, "joined")
	// Others hear of the bot before it listens, and what has been said by then it
	// takes for the past.
	var answer frame
	until(t, waitTime, "the bot answers", func() (answered bool) {
		k.say(t, "ping")
		answer, answered = k.expect(time.Second, func(f *frame) bool { return f.Type == "message" && f.Message == "pong" })
		return answered
	})
	if answer.UserID != "bot" {
		t.Errorf("answer: %+v", answer)
	}
	s.api(0).succeed(t, "/deleteRoom", admin.credentials())
	if err := bot.Wait(); err != nil || output.String() != "the room is gone: deleted\n" {
		t.Errorf("the bot: %v\n%s", err, output.String())
	}
}
