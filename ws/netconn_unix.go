//go:build unix

package ws

import (
	"errors"
	"net"
	"syscall"
)

// rawSocket returns the socket of a connection, or nil if it has none of its own.
func rawSocket(conn net.Conn) syscall.RawConn {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil // TLS has the bytes of a socket, not a socket for bytes
	}
	holder, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := holder.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// writeSocket writes as much as the socket takes without waiting; zero bytes and
// no error if that is nothing. Sockets of package net are non-blocking.
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
