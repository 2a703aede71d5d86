import DIGIdentity
import DIGNet

extension AutoNATError {
    /// What `error`, met while asking `peer`, means to the asker.
    init(asking peer: PeerID, _ error: any Error) {
        switch error {
        case let error as AutoNATError:
            self = error
        case let error as AutoNATDecodingError:
            self.init(.malformedAnswer, "\(peer) sent what is no answer", cause: error)
        case let error as ConnectionError where error.code == .noCommonProtocol:
            self.init(.notSupported, "\(peer) does not speak the protocol", cause: error)
        case let error as ConnectionError where error.code == .protocolViolation:
            self.init(.malformedAnswer, "\(peer) sent what is no answer", cause: error)
        case let error as ConnectionError where error.code == .timedOut:
            self.init(.timedOut, "\(peer) did not answer", cause: error)
        default:
            self.init(.closed, "\(peer) ended the exchange", cause: error)
        }
    }
}
