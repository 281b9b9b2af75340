package client_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// TestClientInDocs runs the bot in docs/client.md.
func TestClientInDocs(t *testing.T) {
	harness.InstallNode(t)
	text, err := os.ReadFile(filepath.Join(harness.Repository(), "docs", "client.md"))
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
		"web": filepath.Join(harness.Repository(), "web"), "node_modules": filepath.Join(harness.Repository(), "e2e", "node", "node_modules"),
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "bot.mjs"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}

	s := harness.MemorySite(t, "")
	admin := s.API(0).Create(t, 600)
	k, _ := harness.Join(t, s.Base(0), &admin)
	ctx, cancel := context.WithTimeout(t.Context(), scriptTime)
	defer cancel()
	bot := exec.CommandContext(ctx, "node", "bot.mjs", s.Base(0), admin.RoomID)
	bot.Dir = dir
	var output bytes.Buffer
	bot.Stdout, bot.Stderr = &output, &output
	if err := bot.Start(); err != nil {
		t.Fatal(err)
	}
	k.Await(t, "joined")
	// The member is notified of the bot before the bot is ready. Until then the bot
	// takes messages for history.
	var answer harness.Frame
	harness.Until(t, harness.WaitTime, "the bot answers", func() (answered bool) {
		k.Publish(t, "ping")
		answer, answered = k.Wait(time.Second, func(f *harness.Frame) bool { return f.Type == "message" && f.Message == "pong" })
		return answered
	})
	if answer.UserID != "bot" {
		t.Errorf("answer: %+v", answer)
	}
	s.API(0).Succeed(t, "/deleteRoom", admin.Credentials())
	if err := bot.Wait(); err != nil || output.String() != "the room is gone: deleted\n" {
		t.Errorf("the bot: %v\n%s", err, output.String())
	}
}
