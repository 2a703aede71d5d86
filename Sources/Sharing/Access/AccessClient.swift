public import DIGContent
import DIGIdentity
public import DIGNet
import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Proves to hosts who this peer is: the asking side of `/dig/auth/1.0.0`.
public struct AccessClient: Sendable {
    private let timeout: Duration
    private let nowMilliseconds: @Sendable () -> UInt64

    /// - Parameters:
    ///   - timeout: For each message, and three times as much for all.
    ///   - nowMilliseconds: Unix time. Nil: this machine's clock.
    public init(timeout: Duration = .seconds(10), nowMilliseconds: (@Sendable () -> UInt64)? = nil) {
        self.timeout = timeout
        self.nowMilliseconds = nowMilliseconds ?? { WallClock.nowMilliseconds }
    }

    /// Proves to the peer at the other end what the credentials allow. What it accepts counts for the whole connection.
    ///
    /// - Parameter content: What the host is to decide about; nil: whether it accepts the proof at all.
    /// - Throws: ``AccessError``, the host's or this side's own; ``ConnectionError``; `CancellationError`.
    public func authenticate(on connection: any Connection, with credentials: AccessCredentials, for content: ContentHash? = nil) async throws -> AccessGrant {
        let host = connection.remotePeer
        guard credentials.keyPair != nil || credentials.membership != nil || credentials.tokens.contains(where: { $0.host == host }) else {
            throw AccessError.nothingToProve
        }
        do {
            return try await connection.withMessages(
                speaking: AccessHost.protocolID, limit: AccessLimits.maximumMessageByteCount, timeout: self.timeout, total: self.timeout * 3
            ) { messages in
                try await self.converse(messages, on: connection, with: credentials, for: content)
            }
        } catch let error as ConnectionError where error.code == .noCommonProtocol {
            throw AccessError.unsupported
        }
    }

    private func converse(
        _ messages: MessageStream, on connection: any Connection, with credentials: AccessCredentials, for content: ContentHash?
    ) async throws -> AccessGrant {
        let host = connection.remotePeer
        let hello = AccessHello(peer: connection.localPeer, content: content, ringDigest: credentials.membership?.ring.digest)
        messages.write(AccessCodec.encode(hello))
        // Instead of a challenge there may be a verdict at once.
        let first = try await messages.read().get()
        let message: AccessChallengeMessage
        do throws(AccessError) {
            message = try AccessCodec.decodeChallenge(first)
        } catch {
            throw Self.earlyRefusal(first) ?? error
        }
        let response = try AccessExchange.answer(
            message, with: credentials, host: host, prover: connection.localPeer, channelBinding: connection.channelBinding,
            nowMilliseconds: self.nowMilliseconds())
        messages.write(AccessCodec.encode(response))
        let verdict = try AccessCodec.decodeVerdict(try await messages.read().get())
        if let refusal = verdict.refusal { throw refusal }
        return AccessGrant(
            host: host, identity: verdict.identity, isTrusted: verdict.isTrusted, isMember: verdict.isMember, tokens: verdict.tokens,
            expires: verdict.expiresMilliseconds.map { Date(timeIntervalSince1970: Double($0) / 1000) })
    }

    private static func earlyRefusal(_ bytes: ByteBuffer) -> AccessError? {
        do throws(AccessError) { return try AccessCodec.decodeVerdict(bytes).refusal } catch { return nil }
    }
}
