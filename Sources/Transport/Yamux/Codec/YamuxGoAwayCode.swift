/// Why a connection ends. hashicorp/yamux spec, "Session termination".
struct YamuxGoAwayCode: RawRepresentable, Hashable, Sendable {
    var rawValue: UInt32

    static let normal = Self(rawValue: 0)
    static let protocolError = Self(rawValue: 1)
    static let internalError = Self(rawValue: 2)
}
