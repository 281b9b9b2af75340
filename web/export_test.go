package web

// Bundle is what the entries are made by.
func Bundle(entry string, read func(file string) (string, error)) (string, error) {
	return bundle(entry, func(file string) (*module, error) {
		source, err := read(file)
		if err != nil {
			return nil, err
		}
		return parse(source)
	})
}
