package baseline_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// The writers of Paced live as long as the process.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/ephemeralchat/caddy-ephemeral-chat/bench/baseline.(*writer).run"))
}
