import DIGContent
import DIGIdentity
import SwiftProtobuf

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension AccessToken {
    static func payload(
        id: AccessTokenID, host: PeerID, contents: Set<ContentHash>, holder: PeerID?, issued: UInt64, expires: UInt64
    ) -> [UInt8] {
        var record = Dig_Access_V1_AccessTokenRecord()
        record.id = Data(id.bytes)
        record.host = Data(host.bytes)
        record.contents = contents.map { Data($0.digest.bytes) }.sorted { $0.lexicographicallyPrecedes($1) }
        if let holder { record.holder = Data(holder.bytes) }
        record.issued = issued
        record.end = expires
        // Cannot fail: proto3 has no required fields and the message is far below two gigabytes.
        do { return try record.serializedBytes() } catch { preconditionFailure("\(error)") }
    }

    typealias Fields = (id: AccessTokenID, host: PeerID, contents: Set<ContentHash>, holder: PeerID?, issued: UInt64, expires: UInt64)

    static func fields(of payload: [UInt8]) throws(AccessError) -> Fields {
        do {
            let record = try Dig_Access_V1_AccessTokenRecord(serializedBytes: payload)
            guard let id = AccessTokenID(bytes: record.id), record.contents.count <= Self.maximumContentCount else { throw AccessError.tokenInvalid }
            var contents: Set<ContentHash> = []
            for bytes in record.contents {
                guard bytes.count == 32, let digest = SHA256Digest(bytes: [UInt8](bytes)), contents.insert(ContentHash(digest: digest)).inserted else {
                    throw AccessError.tokenInvalid
                }
            }
            let holder = record.holder.isEmpty ? nil : try PeerID(bytes: record.holder)
            return (id, try PeerID(bytes: record.host), contents, holder, record.issued, record.end)
        } catch {
            throw .tokenInvalid
        }
    }
}
