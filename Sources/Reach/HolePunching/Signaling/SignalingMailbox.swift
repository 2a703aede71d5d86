import DIGIdentity
import DIGNet
import Logging
import Synchronization

/// Reads what arrives through one backend, once for all conversations.
final class SignalingMailbox: Sendable {
    /// A conversation that a peer began, by the peer's name for it.
    private struct Call: Hashable {
        var peer: PeerID
        var session: SignalingSessionID

        init(_ message: SignalingMessage) {
            self.peer = message.sender
            self.session = message.senderSession
        }
    }

    private struct State {
        var conversations: [SignalingSessionID: SignalingPunchChannel] = [:]
        var calls: [Call: SignalingPunchChannel] = [:]
        var replays = SignalingReplayGuard()
        var isRunning = false
    }

    let signaling: any Signaling
    private let localPeer: PeerID
    private let logger: Logger
    private let state = Mutex(State())

    init(signaling: any Signaling, localPeer: PeerID, logger: Logger) {
        self.signaling = signaling
        self.localPeer = localPeer
        self.logger = logger
    }

    var isRunning: Bool { self.state.withLock { $0.isRunning } }

    /// - Parameter call: What the peer began with.
    func add(_ channel: SignalingPunchChannel, answering call: SignalingMessage? = nil) {
        self.state.withLock { state in
            state.conversations[channel.session] = channel
            if let call { state.calls[Call(call)] = channel }
        }
    }

    func remove(_ channel: SignalingPunchChannel, answering call: SignalingMessage? = nil) {
        self.state.withLock { state in
            state.conversations[channel.session] = nil
            if let call { state.calls[Call(call)] = nil }
        }
    }

    /// Takes a call for one that never came: it was refused.
    func forget(_ call: SignalingMessage) {
        self.state.withLock { $0.replays.forget(call) }
    }

    /// Returns when the backend ends or the task is cancelled.
    ///
    /// - Parameter begin: Called with the first message of a conversation that a peer begins.
    func run(begin: (SignalingMessage) -> Void) async {
        let envelopes = self.signaling.envelopes()
        self.state.withLock { $0.isRunning = true }
        for await envelope in envelopes {
            let now = WallClock.nowMilliseconds
            let message: SignalingMessage
            do throws(SignalingError) {
                message = try SignalingMessage(opening: envelope, as: self.localPeer, nowMilliseconds: now)
            } catch {
                self.logger.debug("dropped a signaling message", metadata: ["dig.punch.error": "\(error)", "dig.punch.signaling": "\(self.signaling.name)"])
                continue
            }
            // Others read their topics from the same backend.
            guard message.topic == SignalingPunchChannel.topic else { continue }
            if let session = message.recipientSession {
                self.state.withLock { $0.conversations[session] }?.arrived(message)
            } else if let channel = self.ongoing(message) {
                channel.arrived(message)
            } else if self.state.withLock({ $0.replays.admits(message, nowMilliseconds: now) }) {
                begin(message)
            }
        }
        self.state.withLock { $0.isRunning = false }
    }

    /// The conversation of a peer that calls again because it has not heard the answer.
    private func ongoing(_ message: SignalingMessage) -> SignalingPunchChannel? {
        self.state.withLock { state in
            guard let channel = state.calls[Call(message)] else { return nil }
            state.replays.repeated(message)
            return channel
        }
    }
}
