import DIGMultiformats
import NIOCore

/// What a STUN server answers (RFC 8489 §6.3.1, RFC 5780 §6.1): binding requests, without authentication.
///
/// Nothing is sent to an address that did not ask, and an answer is never longer than both its request and ``maximumShortAnswerByteCount``, so
/// that false source addresses gain nobody anything.
struct STUNResponder {
    typealias Instant = ContinuousClock.Instant

    enum Action: Hashable {
        case respond(ByteBuffer, to: SocketAddress, from: SocketAddress?)
        /// No binding request: somebody else on the same port may want it.
        case notOurs
        /// A binding request that gets no answer.
        case drop(Reason)
    }

    enum Reason: String, Hashable, CaseIterable {
        case malformed, badFingerprint, tooLong, rateLimited, credentials, invalidSource
    }

    /// Header, XOR-MAPPED-ADDRESS, MAPPED-ADDRESS, RESPONSE-ORIGIN and OTHER-ADDRESS of IPv6, and FINGERPRINT: what is sent although the request may
    /// have been shorter.
    static let maximumShortAnswerByteCount = 20 + 4 * 24 + 8

    private let configuration: STUNServerConfiguration
    private let knownTypes: Set<STUNAttributeType>
    private var limiter: STUNRateLimiter

    init(_ configuration: STUNServerConfiguration) {
        self.configuration = configuration
        self.limiter = STUNRateLimiter(
            requestsPerSecond: configuration.maximumRequestsPerSecond, burstCount: configuration.burstCount,
            maximumCount: configuration.maximumRateLimitedCount)
        var known: Set<STUNAttributeType> = []
        if configuration.behaviorDiscovery != nil { known.formUnion([.changeRequest, .padding]) }
        if configuration.honoursResponsePort { known.insert(.responsePort) }
        self.knownTypes = known
    }

    /// - Parameters:
    ///   - local: Where the request came in.
    ///   - isStream: Over TCP, where the answer goes back on the connection whatever the request says.
    mutating func received(
        _ request: ByteBuffer, from source: SocketAddress, at local: SocketAddress, isStream: Bool = false, now: Instant
    ) -> Action {
        guard let type = request.getInteger(at: request.readerIndex, as: UInt16.self), type == STUNMessage.typeField(.request, .binding) else {
            return .notOurs
        }
        guard source.port != 0, let scope = source.scope, scope != .multicast, scope != .unspecified else { return .drop(.invalidSource) }
        guard request.readableBytes <= self.configuration.maximumRequestByteCount else { return .drop(.tooLong) }
        let received: ReceivedSTUNMessage
        do throws(STUNDecodingError) { received = try ReceivedSTUNMessage(decoding: request) } catch { return .drop(.malformed) }
        let hasFingerprint = received.hasValidFingerprint
        guard hasFingerprint != false else { return .drop(.badFingerprint) }
        // A check of ICE, or somebody who takes us for another server.
        guard received.integrity.isEmpty, !received.message.contains(.username), !received.message.contains(.userHash) else { return .drop(.credentials) }
        guard self.limiter.allows(source, now: now) else { return .drop(.rateLimited) }
        do throws(STUNDecodingError) {
            return try self.answer(
                received.message, byteCount: request.readableBytes, hasFingerprint: hasFingerprint == true, from: source, at: local, isStream: isStream)
        } catch {
            return .respond(
                Self.error(.badRequest, to: received.message).encoded(hasFingerprint: hasFingerprint == true), to: source, from: isStream ? nil : local)
        }
    }

    private func answer(
        _ request: STUNMessage, byteCount: Int, hasFingerprint: Bool, from source: SocketAddress, at local: SocketAddress, isStream: Bool
    ) throws(STUNDecodingError) -> Action {
        let origin = isStream ? nil : local
        let unknown = request.unknownRequiredTypes(known: self.knownTypes)
        guard unknown.isEmpty else {
            var response = Self.error(.unknownAttribute, to: request)
            // As many as keep the answer short; the client knows what it sent.
            response.append(STUNUnknownAttributes(Array(unknown.prefix(Self.maximumUnknownCount))))
            return .respond(response.encoded(hasFingerprint: hasFingerprint), to: source, from: origin)
        }
        let change = try request.value(STUNChangeRequest.self)
        let responsePort = try request.value(STUNResponsePort.self)
        // RFC 5780 §7.6: not together, or fragments could be sent to somebody.
        guard responsePort == nil || !request.contains(.padding) else { throw .invalidAttribute(.padding) }

        var response = STUNMessage(.successResponse, .binding, transactionID: request.transactionID)
        response.append(STUNXORMappedAddress(source))
        var answersFrom = local
        if let discovery = self.configuration.behaviorDiscovery, !isStream {
            let changed = discovery.changing(local, ip: change?.changesAddress ?? false, port: change?.changesPort ?? false)
            if let changed, let other = discovery.changing(local, ip: true, port: true) {
                answersFrom = changed
                // §6.1 wants both: if they differ, something on the way rewrites addresses (§3.6).
                response.append(STUNMappedAddress(source))
                response.append(STUNResponseOrigin(changed))
                response.append(STUNOtherAddress(other))
            } else if change?.changesAddress == true || change?.changesPort == true {
                // Came in at an address that is not part of it (§6.1).
                var response = Self.error(.unknownAttribute, to: request)
                response.append(STUNUnknownAttributes([.changeRequest]))
                return .respond(response.encoded(hasFingerprint: hasFingerprint), to: source, from: origin)
            }
        }
        let fingerprintByteCount = hasFingerprint ? STUNMessage.fingerprintByteCount : 0
        func room() -> Int { byteCount - fingerprintByteCount - response.encoded(hasFingerprint: false).readableBytes - 4 }
        if let software = self.configuration.software, (software.utf8.count + 3) / 4 * 4 <= room() { response.append(STUNSoftware(software)) }
        if let padding = try request.value(STUNPadding.self), !isStream, room() >= 4 {
            response.append(STUNPadding(byteCount: min(padding.byteCount, room() / 4 * 4)))
        }
        var destination = source
        if let responsePort, !isStream { destination.port = Int(responsePort.port) }
        return .respond(response.encoded(hasFingerprint: hasFingerprint), to: destination, from: isStream ? nil : answersFrom)
    }

    /// Ours: keeps an error response below ``maximumShortAnswerByteCount``.
    private static let maximumUnknownCount = 8

    private static func error(_ code: STUNErrorCode, to request: STUNMessage) -> STUNMessage {
        var response = STUNMessage(.errorResponse, .binding, transactionID: request.transactionID)
        response.append(code)
        return response
    }
}
