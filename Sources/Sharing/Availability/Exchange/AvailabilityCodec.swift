import DIGContent
import DIGIdentity
import NIOCore
import SwiftProtobuf

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Requests and responses as protobuf; see `availability.proto`.
enum AvailabilityCodec {
    private typealias Limits = AvailabilityExchangeLimits

    // MARK: Writing

    static func encode(_ request: AvailabilityRequest) -> ByteBuffer {
        var message = Dig_Availability_V1_Request()
        switch request {
        case .tell(let statements): message.tell = Self.message(statements)
        case .ask(let content): message.ask = Data(content.digest.bytes)
        case .unknown: break
        }
        return Self.bytes(message)
    }

    static func encode(_ response: AvailabilityResponse) -> ByteBuffer {
        var message = Dig_Availability_V1_Response()
        message.verdicts = response.verdicts.map(\.code)
        if !response.known.isEmpty { message.known = Self.message(response.known) }
        return Self.bytes(message)
    }

    /// As many of them, from the first, as one message may have.
    static func fitting(_ statements: some Sequence<Statement>) -> [Statement] {
        var fitting: [Statement] = []
        var byteCount = 0
        for statement in statements where statement.byteCount <= Limits.maximumStatementByteCount {
            byteCount += statement.byteCount + 8
            guard fitting.count < Limits.maximumStatementCount, byteCount <= Limits.filledByteCount else { break }
            fitting.append(statement)
        }
        return fitting
    }

    private static func message(_ statements: [Statement]) -> Dig_Availability_V1_Statements {
        var message = Dig_Availability_V1_Statements()
        message.statements = statements.map { statement in
            var message = Dig_Availability_V1_Statement()
            switch statement {
            case .envelope(let bytes): message.envelope = Data(bytes)
            case .json(let bytes): message.json = String(decoding: bytes, as: UTF8.self)
            }
            return message
        }
        return message
    }

    private static func bytes(_ message: some SwiftProtobuf.Message) -> ByteBuffer {
        // Fails for required fields only, of which there are none.
        do { return ByteBuffer(bytes: try message.serializedBytes() as [UInt8]) } catch { return ByteBuffer() }
    }

    // MARK: Reading

    /// - Throws: ``AvailabilityError`` `.malformed` or `.limitExceeded`.
    static func decodeRequest(_ bytes: ByteBuffer) throws(AvailabilityError) -> AvailabilityRequest {
        let message: Dig_Availability_V1_Request
        do { message = try Dig_Availability_V1_Request(serializedBytes: Array(bytes.readableBytesView)) } catch { throw .malformed }
        switch message.request {
        case .tell(let statements)?: return .tell(try Self.statements(statements))
        case .ask(let digest)?:
            guard let digest = SHA256Digest(bytes: digest) else { throw .malformed }
            return .ask(ContentHash(digest: digest))
        case nil: return .unknown
        }
    }

    /// - Throws: ``AvailabilityError`` `.malformed` or `.limitExceeded`.
    static func decodeResponse(_ bytes: ByteBuffer) throws(AvailabilityError) -> AvailabilityResponse {
        let message: Dig_Availability_V1_Response
        do { message = try Dig_Availability_V1_Response(serializedBytes: Array(bytes.readableBytesView)) } catch { throw .malformed }
        guard message.verdicts.count <= Limits.maximumStatementCount else { throw .limitExceeded }
        return AvailabilityResponse(verdicts: message.verdicts.map(StatementVerdict.init(code:)), known: try Self.statements(message.known))
    }

    private static func statements(_ message: Dig_Availability_V1_Statements) throws(AvailabilityError) -> [Statement] {
        guard message.statements.count <= Limits.maximumStatementCount else { throw .limitExceeded }
        var statements: [Statement] = []
        for item in message.statements {
            let statement: Statement
            switch item.form {
            case .envelope(let bytes)?: statement = .envelope(Array(bytes))
            case .json(let text)?: statement = .json(Array(text.utf8))
            case nil: throw .malformed
            }
            guard statement.byteCount <= Limits.maximumStatementByteCount else { throw .limitExceeded }
            statements.append(statement)
        }
        return statements
    }
}

extension SignedRecord.Form {
    /// Reads what came; nothing is checked yet.
    ///
    /// - Throws: ``AvailabilityError`` `.malformed`, `.limitExceeded` or `.unsupportedAlgorithm`.
    init(_ statement: Statement) throws(AvailabilityError) {
        switch statement {
        case .envelope(let bytes):
            do { self = .envelope(try SignedEnvelope(decoding: bytes)) } catch { throw .malformed }
        case .json(let bytes): self = .json(try SignedData(json: bytes))
        }
    }
}
