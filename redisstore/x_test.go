package redisstore_test

import _ "go.uber.org/goleak"
