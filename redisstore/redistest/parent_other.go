//go:build !linux

package redistest

import "os/exec"

// endWithParent does nothing where the system has no such thing: a server may
// outlive a test that is killed.
func endWithParent(*exec.Cmd) {}
