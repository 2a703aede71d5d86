// Who may have a content: a rule, a permission that the host signs, and the decision about a peer that brings it. Values alone, no network.
import DIGAccess
import DIGContent
import DIGIdentity
import Foundation

let (host, friend) = (try KeyPair.generate(), try KeyPair.generate())
let content = ContentHash(digest: SHA256Digest(hashing: Array("a content".utf8)))
let now = UInt64(Date().timeIntervalSince1970 * 1000)

// A permission for one content and one peer, good for an hour; its text fits into a link.
let token = try AccessToken(
    contents: [content], holder: friend.peerID, issuedMilliseconds: now, expiresMilliseconds: now + 3_600_000, signedBy: host)
print(token.text)

// The rule: only those on the host's list, which is empty.
let facts = AccessFacts(scopes: [AccessScope(content: content, access: .trusted)])
func decision(_ evidence: AccessEvidence) -> AccessDecision {
    AccessDecider(policy: AccessPolicy(requirePeerAuthentication: true), facts: facts, evidence: evidence, nowMilliseconds: now).decide(content)
}
var evidence = AccessEvidence()
print("who says nothing:", decision(evidence))
evidence.add(friend.publicKey)
print("who has proven a key:", decision(evidence))
evidence.add(token)
print("who brings the permission:", decision(evidence))
