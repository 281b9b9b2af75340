package client_test

import (
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
