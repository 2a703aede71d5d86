// Whom to believe when peers say that they have a content: claims, reports, proofs, and what comes of them.
import DIGAvailability
import DIGContent
import DIGIdentity
import Logging

/// Asks a holder for a random block. A node does it over the network; here only one of the two has the content.
struct Prover: PossessionProver {
    let honest: PeerID
    func proves(_ peer: PeerID, has content: ContentHash) async throws -> Bool { peer == self.honest }
}

let (identity, honest, boaster) = (try KeyPair.generate(), try KeyPair.generate().peerID, try KeyPair.generate().peerID)
let content = ContentHash(digest: SHA256Digest(hashing: Array("a content".utf8)))
let availability = ContentAvailabilityManager(identity: identity, prover: Prover(honest: honest), logger: Logger(label: "snippet"))
for peer in [boaster, honest] { try availability.claimed(by: peer, content: content) }

// This node asked the one for the content, got it from the other, and says so, signed.
try await availability.reportContentUnavailable(boaster, content, reason: .notFound)
availability.experienced(.transferred(byteCount: 1_000_000, over: .seconds(1)), of: honest, content: content)
for holder in availability.holders(of: content) { print(holder.peer, holder.status, "because it", holder.reason, holder.reputation.success) }
print("to be asked, in this order:", availability.filterPeersByContentStatus([boaster, honest], for: content))
for record in try await availability.records(about: content) { print("signed by", try record.verified().author.peerID) }
