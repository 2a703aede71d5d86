public import DIGNet

/// `/ipfs/ping/1.0.0`: 32 random bytes there and back.
public enum Ping {
    public static let protocolID: ProtocolID = "/ipfs/ping/1.0.0"
    static let payloadByteCount = 32
}
