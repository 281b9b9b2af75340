//go:build unix

package ws

import (
	"errors"
	"net"
	"syscall"
)

// rawSocket returns the socket of a connection, or nil if it has none of its own: a
// TLS connection must encrypt before it writes.
func rawSocket(conn net.Conn) (raw syscall.RawConn) {
	switch conn := conn.(type) {
	case *net.TCPConn:
		raw, _ = conn.SyscallConn() // nil on error
	case *net.UnixConn:
		raw, _ = conn.SyscallConn()
	}
	return raw
}

// writeSocket writes the bytes that the socket accepts without blocking, perhaps
// none. Sockets of package net are non-blocking.
func writeSocket(fd uintptr, p []byte) (int, error) {
	for {
		n, err := syscall.Write(int(fd), p)
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return 0, nil
		default:
			return 0, err
		}
	}
}
