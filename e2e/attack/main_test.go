package attack_test

import (
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

func TestMain(m *testing.M) { harness.Main(m, browser.Stop) }
