package redisstore

import (
	"strconv"
	"strings"
)

// Name says for people which rooms the options lead to: addresses, database, the
// master that sentinels watch, and the key prefix if there is one. It holds no
// secret. Options that differ in how they get there may have the same name.
func (o Options) Name() string {
	p, err := o.place()
	if err != nil {
		return ""
	}
	name := strings.Join(p.addrs, ",")
	if p.sentinel.Master != "" {
		name += "/" + p.sentinel.Master
	}
	name += "/" + strconv.Itoa(p.db)
	if o.KeyPrefix != "" {
		name += "/" + o.KeyPrefix
	}
	return name
}
