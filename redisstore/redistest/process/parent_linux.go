package process

import (
	"os/exec"
	"syscall"
)

// endWithParent makes the kernel kill the child when its parent ends, also where the
// parent is killed or panics and no cleanup runs.
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
