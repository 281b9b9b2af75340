package chaos

import (
	"os/exec"
	"syscall"
)

// endWithParent lets a process end with the laboratory, also where that is killed.
func endWithParent(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
