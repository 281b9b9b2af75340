// Package e2e tests ephemeral chat from outside: real Caddy processes with the
// module built in, real Redis servers, clients that speak HTTP and WebSocket.
//
// It is a module of its own, so that whoever builds Caddy with ephemeral chat
// does not inherit what only these tests need, and it imports nothing of the
// module that it tests.
//
// The processes run with the race detector. Each test looks at what its
// processes have written to standard error when they have ended: a data race, a
// panic or an unclean exit fails it.
package e2e
