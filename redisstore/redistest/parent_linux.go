package redistest

import (
	"os/exec"
	"syscall"
)

// endWithParent lets a server end with the test's process, also where that is
// killed or panics and no cleanup runs.
func endWithParent(process *exec.Cmd) {
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
