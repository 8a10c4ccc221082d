package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
)

// A record is one byte of format version, the CRC-32C of what follows (4 bytes, big endian), and JSON. bbolt checks the shape of
// its pages but not their contents, so without the sum a flipped bit in a name would go unseen.
const (
	recordVersion = 1
	recordHeader  = 1 + crc32.Size
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encode(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	b := make([]byte, recordHeader, recordHeader+len(body))
	b[0] = recordVersion
	binary.BigEndian.PutUint32(b[1:], crc32.Checksum(body, castagnoli))
	return append(b, body...), nil
}

// decode reads a record into v. The error wraps ErrDamaged or ErrNewerVersion.
func decode(b []byte, v any) error {
	if len(b) < recordHeader || b[0] == 0 {
		return fmt.Errorf("record of %d bytes has no header: %w", len(b), ErrDamaged)
	}
	if b[0] > recordVersion {
		return fmt.Errorf("record has format %d, this program knows %d: %w", b[0], recordVersion, ErrNewerVersion)
	}
	body := b[recordHeader:]
	if binary.BigEndian.Uint32(b[1:]) != crc32.Checksum(body, castagnoli) {
		return fmt.Errorf("record has a wrong checksum: %w", ErrDamaged)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("record does not parse: %w: %w", ErrDamaged, err)
	}
	return nil
}
