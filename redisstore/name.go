package redisstore

import "strconv"

// Name says for people which rooms the options lead to: address and database, and
// the key prefix if there is one. It holds no secret. Options that differ in how
// they get there may have the same name.
func (o Options) Name() string {
	c, err := o.client()
	if err != nil {
		return ""
	}
	name := c.Addr + "/" + strconv.Itoa(c.DB)
	if o.KeyPrefix != "" {
		name += "/" + o.KeyPrefix
	}
	return name
}
