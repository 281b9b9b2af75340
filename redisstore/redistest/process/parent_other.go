//go:build !linux

package process

import "os/exec"

// endWithParent does nothing on systems without such a signal: a child may outlive a
// parent that is killed.
func endWithParent(*exec.Cmd) {}
