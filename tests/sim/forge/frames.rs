//! Frames of QUIC, sound ones and others. RFC 9000 §19.

/// The largest number that QUIC can write. RFC 9000 §16.
pub const MAX: u64 = (1 << 62) - 1;

/// A number as QUIC writes it. RFC 9000 §16.
///
/// # Panics
/// For one above [`MAX`].
pub fn varint(value: u64) -> Vec<u8> {
    assert!(value <= MAX, "QUIC can write no such number");
    match value {
        0..0x40 => vec![value as u8],
        0x40..0x4000 => (0x4000 | value as u16).to_be_bytes().to_vec(),
        0x4000..0x4000_0000 => (0x8000_0000 | value as u32).to_be_bytes().to_vec(),
        _ => (0xc000_0000_0000_0000 | value).to_be_bytes().to_vec(),
    }
}

/// A frame of nothing but numbers: its type, and its fields.
pub fn of(kind: u64, fields: &[u64]) -> Vec<u8> {
    let fields = fields.iter().flat_map(|field| varint(*field));
    varint(kind).into_iter().chain(fields).collect()
}

/// STREAM with an offset and a length. RFC 9000 §19.8.
pub fn stream(id: u64, offset: u64, bytes: &[u8]) -> Vec<u8> {
    [of(0x0e, &[id, offset, bytes.len() as u64]), bytes.to_vec()].concat()
}

/// CRYPTO. RFC 9000 §19.6.
pub fn crypto(offset: u64, bytes: &[u8]) -> Vec<u8> {
    [of(0x06, &[offset, bytes.len() as u64]), bytes.to_vec()].concat()
}

/// NEW_CONNECTION_ID with an id and a token that follow from its number. RFC 9000 §19.15.
pub fn new_connection_id(sequence: u64, retire_prior_to: u64) -> Vec<u8> {
    let id = sequence.to_be_bytes();
    [of(0x18, &[sequence, retire_prior_to, 8]), id.to_vec(), id.to_vec(), id.to_vec()].concat()
}

/// PATH_CHALLENGE. RFC 9000 §19.17.
pub fn path_challenge(token: u64) -> Vec<u8> {
    [of(0x1a, &[]), token.to_be_bytes().to_vec()].concat()
}

/// PATH_RESPONSE. RFC 9000 §19.18.
pub fn path_response(token: u64) -> Vec<u8> {
    [of(0x1b, &[]), token.to_be_bytes().to_vec()].concat()
}
