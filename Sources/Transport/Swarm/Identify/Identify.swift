public import DIGNet

/// The identify protocols: what a node says about itself when a connection is made, and when it changes.
public enum Identify {
    public static let protocolID: ProtocolID = "/ipfs/id/1.0.0"
    public static let pushProtocolID: ProtocolID = "/ipfs/id/push/1.0.0"
}
