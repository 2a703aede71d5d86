import DIGMultiformats
import DIGNet
import NIOCore

/// Decides what of an answer to believe.
struct STUNAnswerCheck {
    enum Verdict: Hashable {
        case binding(STUNBinding)
        /// Not the answer; the right one may still come. The reason counts if it does not.
        case ignored(STUNError)
        case failed(STUNError)
    }

    /// Comprehension-required attributes that may be in an answer; 4 and 5 are those of RFC 3489, where servers of both kinds put their addresses.
    static let knownAnswerTypes: Set<STUNAttributeType> = [
        .mappedAddress, .xorMappedAddress, .errorCode, .unknownAttributes, .username, .messageIntegrity, .messageIntegritySHA256, .realm, .nonce,
        .passwordAlgorithm, .userHash, .padding, .responsePort, .changeRequest, STUNAttributeType(rawValue: 0x0004),
        STUNAttributeType(rawValue: 0x0005),
    ]

    /// Who was asked.
    var server: SocketAddress
    /// Who has to answer.
    var answersFrom: SocketAddress
    var policy: AddressPolicy
    var maximumByteCount: Int

    /// `datagram` has the transaction id of the request.
    func check(_ datagram: ByteBuffer, from source: SocketAddress) -> Verdict {
        guard source == self.answersFrom else {
            return .ignored(STUNError(.wrongSource, "\(source) answered in place of \(self.answersFrom)"))
        }
        let received: ReceivedSTUNMessage
        do throws(STUNDecodingError) {
            received = try ReceivedSTUNMessage(decoding: datagram, maximumByteCount: self.maximumByteCount)
        } catch {
            return .ignored(STUNError(.malformed, "the answer of \(source) is no STUN message", cause: error))
        }
        // Without one it may still be an old server.
        guard received.hasValidFingerprint != false else { return .ignored(STUNError(.badFingerprint, "the answer of \(source) is damaged")) }
        do throws(STUNDecodingError) {
            return try self.check(received.message, from: source)
        } catch {
            return .failed(STUNError(.malformed, "an attribute of the answer of \(source) can't be read", cause: error))
        }
    }

    private func check(_ message: STUNMessage, from source: SocketAddress) throws(STUNDecodingError) -> Verdict {
        guard message.method == .binding else { return .failed(STUNError(.malformed, "\(source) answers something that was not asked")) }
        // RFC 8489 §6.3.3, §6.3.4.
        let unknown = message.unknownRequiredTypes(known: Self.knownAnswerTypes)
        guard unknown.isEmpty else { return .failed(STUNError(.malformed, "\(source) answers with attributes that are not known: \(unknown)")) }
        switch message.messageClass {
        case .request, .indication:
            return .ignored(STUNError(.malformed, "\(source) sent the request back"))
        case .errorResponse:
            guard let code = try message.value(STUNErrorCode.self) else { return .failed(STUNError(.malformed, "\(source) does not say why it failed")) }
            return .failed(STUNError(.errorResponse, "\(source) refused", cause: code))
        case .successResponse:
            var address = try message.value(STUNXORMappedAddress.self)?.address
            if address == nil { address = try message.value(STUNMappedAddress.self)?.address }
            guard let mapped = address else {
                return .failed(STUNError(.malformed, "the answer of \(source) has no address"))
            }
            guard self.isBelievable(mapped) else {
                return .failed(STUNError(.addressRefused, "\(source) says that it sees \(mapped), which can't be"))
            }
            // Optional: what can't be read or believed is as if it was not there.
            let other = try? message.value(STUNOtherAddress.self)?.address
            return .binding(
                STUNBinding(
                    mapped: mapped, source: source, responseOrigin: try? message.value(STUNResponseOrigin.self)?.address,
                    otherAddress: other.flatMap { self.isOtherServer($0) ? $0 : nil },
                    software: try? message.value(STUNSoftware.self)?.name))
        }
    }

    /// A server on the internet sees addresses of the internet. One on this machine or in the local network sees others.
    private func isBelievable(_ mapped: SocketAddress) -> Bool {
        guard let scope = mapped.scope, mapped.port != 0, let serverScope = self.server.scope else { return false }
        switch scope {
        case .multicast, .unspecified: return false
        default: return self.policy.isPublic(serverScope) ? self.policy.isPublic(scope) : true
        }
    }

    /// We are going to send there: not anywhere a server likes.
    private func isOtherServer(_ other: SocketAddress) -> Bool {
        guard let scope = other.scope, let serverScope = self.server.scope, other.protocol == self.server.protocol else { return false }
        guard other.port != 0, other.port != self.server.port, other.ipAddress != self.server.ipAddress else { return false }
        return self.policy.isPublic(scope) || scope == serverScope && scope != .multicast && scope != .unspecified
    }
}

extension SocketAddress {
    /// Nil for what is no IP address.
    var scope: AddressScope? {
        switch Multiaddr(ip: self)?.components.last {
        case .ip4(let ip): ip.scope
        case .ip6(let ip): ip.scope
        default: nil
        }
    }
}
