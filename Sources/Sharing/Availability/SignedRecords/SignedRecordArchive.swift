import DIGIdentity
import SwiftProtobuf

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Signed records in a file, to be checked elsewhere: the protobuf `Archive`.
public struct SignedRecordArchive: Hashable, Sendable {
    /// Records in one archive, written or read.
    public static let maximumRecordCount = 100_000
    /// Of the encoded archive: 64 MiB.
    public static let maximumByteCount = 64 << 20

    /// In the order in which they are written.
    public var records: [SignedRecord]

    public init(_ records: [SignedRecord]) { self.records = records }

    /// - Throws: ``AvailabilityError`` `.limitExceeded`.
    public func encoded() throws(AvailabilityError) -> [UInt8] {
        guard self.records.count <= Self.maximumRecordCount else { throw .limitExceeded }
        var message = Dig_Availability_V1_Archive()
        message.items = self.records.map { record in
            var item = Dig_Availability_V1_Archive.Item()
            switch record.form {
            case .envelope(let envelope): item.envelope = Data(envelope.encoded)
            case .json(let data): item.json = String(decoding: data.json, as: UTF8.self)
            }
            item.receivedMs = record.receivedMilliseconds
            return item
        }
        let bytes: [UInt8]
        do { bytes = try message.serializedBytes() } catch { throw .limitExceeded }
        guard bytes.count <= Self.maximumByteCount else { throw .limitExceeded }
        return bytes
    }

    /// Reads an archive. Its records are not checked: see ``SignedRecord/verified(names:)``.
    ///
    /// - Throws: ``AvailabilityError`` `.malformed`, `.limitExceeded` or `.unsupportedAlgorithm`.
    public init(decoding bytes: [UInt8]) throws(AvailabilityError) {
        guard bytes.count <= Self.maximumByteCount else { throw .limitExceeded }
        let message: Dig_Availability_V1_Archive
        do { message = try Dig_Availability_V1_Archive(serializedBytes: bytes) } catch { throw .malformed }
        guard message.items.count <= Self.maximumRecordCount else { throw .limitExceeded }
        var records: [SignedRecord] = []
        for item in message.items {
            switch item.form {
            case .envelope(let bytes)?:
                let envelope: SignedEnvelope
                do { envelope = try SignedEnvelope(decoding: Array(bytes)) } catch { throw .malformed }
                records.append(SignedRecord(.envelope(envelope), receivedMilliseconds: item.receivedMs))
            case .json(let text)?:
                records.append(SignedRecord(.json(try SignedData(json: Array(text.utf8))), receivedMilliseconds: item.receivedMs))
            case nil: throw .malformed
            }
        }
        self.records = records
    }
}
