import DIGContent
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTransfer
import Foundation
import Logging
import NIOCore
import Synchronization
import Testing

@testable import DIGAccess

@Suite("Access host", .timeLimit(.minutes(2)))
struct AccessHostTests {
    /// Asked by the transfer host.
    func verdict(_ fixture: HostFixture, _ peer: PeerID, _ content: ContentHash = hash(1)) async throws -> GateVerdict {
        await fixture.access.verdict(for: content, on: try await fixture.connection(to: peer))
    }

    @Test("a trusted peer is let in after it has proven its key, and not before")
    func trusted() async throws {
        let fixture = try await HostFixture()
        let (peer, connection) = try await fixture.client()
        try await fixture.store.trust(TrustedPeer(publicKey: peer.identity.publicKey))
        #expect(try await self.verdict(fixture, peer.peer) == .refused(.authenticationRequired))
        let grant = try await fixture.authenticate(connection, AccessCredentials(keyPair: peer.identity), for: hash(1))
        #expect(grant.isTrusted && grant.identity == peer.peer && grant.host == fixture.host.peer)
        #expect(try await self.verdict(fixture, peer.peer) == .admitted)
        // Trust that ends, ends at once.
        #expect(try await fixture.store.removeTrusted(peer.peer))
        #expect(try await self.verdict(fixture, peer.peer) == .refused(.notAuthorized))
    }

    @Test("a wallet's key on somebody else's connection is that of the wallet", arguments: KeyAlgorithm.allCases)
    func wallet(_ algorithm: KeyAlgorithm) async throws {
        let fixture = try await HostFixture()
        let wallet = try KeyPair.generate(algorithm, rsaKeySize: 2048)
        try await fixture.store.trust(TrustedPeer(publicKey: wallet.publicKey))
        let (peer, connection) = try await fixture.client()
        let grant = try await fixture.authenticate(connection, AccessCredentials(keyPair: wallet))
        #expect(grant.identity == wallet.peerID && grant.isTrusted)
        #expect(try await self.verdict(fixture, peer.peer) == .admitted)
    }

    @Test("an unknown key: refused by one policy, enough for another")
    func unknown() async throws {
        for (policy, refusal) in [(AccessPolicy.trustedOnly, AccessError.notTrusted), (.authenticated, nil), (.open, nil)] as [(AccessPolicy, AccessError?)] {
            let fixture = try await HostFixture(policy: policy)
            let (peer, connection) = try await fixture.client()
            for content in [hash(1), nil] {
                #expect(try await fixture.refusal(connection, AccessCredentials(keyPair: peer.identity), for: content) == refusal)
            }
            #expect(try await self.verdict(fixture, peer.peer) == (refusal == nil ? .admitted : .refused(.notAuthorized)))
        }
    }

    @Test("what is proven ends with the connection, and is of no use on another")
    func ends() async throws {
        let fixture = try await HostFixture(policy: .authenticated)
        let (peer, connection) = try await fixture.client()
        _ = try await fixture.authenticate(connection, AccessCredentials(keyPair: peer.identity))
        let (stranger, _) = try await fixture.client()
        #expect(try await self.verdict(fixture, stranger.peer) == .refused(.authenticationRequired))
        #expect(fixture.access.statistics.sessionCount == 1)
        await connection.close()
        let end = ContinuousClock.now + .seconds(30)
        while fixture.access.statistics.sessionCount > 0, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(2)) }
        #expect(fixture.access.statistics.sessionCount == 0)
    }

    @Test("a token lets in for what it names until it is revoked or over")
    func token() async throws {
        let fixture = try await HostFixture()
        let (peer, connection) = try await fixture.client()
        let token = try await fixture.access.issueToken(contents: [hash(1)], lifetime: .seconds(100), note: "for a friend")
        let grant = try await fixture.authenticate(connection, AccessCredentials(keyPair: nil, tokens: [token]), for: hash(1))
        #expect(grant.tokens == [token.id] && grant.identity == nil)
        #expect(grant.expires == Date(timeIntervalSince1970: Double(token.expiresMilliseconds) / 1000))
        #expect(fixture.access.nextExpiryMilliseconds == token.expiresMilliseconds)
        #expect(try await self.verdict(fixture, peer.peer) == .admitted)
        #expect(try await self.verdict(fixture, peer.peer, hash(2)) == .refused(.notAuthorized))
        #expect(try await fixture.refusal(connection, AccessCredentials(keyPair: nil, tokens: [token]), for: hash(2)) == .tokenForOtherContent)

        #expect(try await fixture.access.revokeToken(token.id))
        #expect(try await self.verdict(fixture, peer.peer) == .refused(.notAuthorized))
        #expect(try await fixture.refusal(connection, AccessCredentials(keyPair: nil, tokens: [token]), for: hash(1)) == .tokenRevoked)

        let second = try await fixture.access.issueToken(contents: [], lifetime: .seconds(100))
        _ = try await fixture.authenticate(connection, AccessCredentials(keyPair: nil, tokens: [second]), for: hash(2))
        fixture.clock.advance(99_999)
        #expect(try await self.verdict(fixture, peer.peer, hash(2)) == .admitted)
        fixture.clock.advance(1)
        #expect(try await self.verdict(fixture, peer.peer, hash(2)) == .refused(.notAuthorized))
        #expect(try await fixture.refusal(connection, AccessCredentials(keyPair: nil, tokens: [second]), for: hash(2)) == .tokenExpired)
    }

    @Test("a stolen token of another peer is refused")
    func stolen() async throws {
        let fixture = try await HostFixture()
        let (owner, ownerConnection) = try await fixture.client()
        let (thief, connection) = try await fixture.client()
        let token = try await fixture.access.issueToken(contents: [hash(1)], holder: owner.peer, lifetime: .seconds(100))
        for key in [thief.identity, nil] {
            #expect(try await fixture.refusal(connection, AccessCredentials(keyPair: key, tokens: [token]), for: hash(1)) == .tokenOfAnotherPeer)
        }
        #expect(try await self.verdict(fixture, thief.peer) != .admitted)
        #expect(try await fixture.refusal(ownerConnection, AccessCredentials(keyPair: owner.identity, tokens: [token]), for: hash(1)) == nil)
        #expect(try await self.verdict(fixture, owner.peer) == .admitted)
    }

    @Test("a member is let in and the host does not learn which; a stranger, a former member and a member of another ring are not")
    func membership() async throws {
        let fixture = try await HostFixture(policy: .open)
        let members = try (0..<4).map { _ in try MemberKeyPair(KeyPair.generate()) }
        let ring = try MemberRing(members.map(\.publicKey))
        try await fixture.store.setAccess(.members(of: ring), of: hash(1))
        let (peer, connection) = try await fixture.client()
        #expect(try await self.verdict(fixture, peer.peer) == .refused(.authenticationRequired))
        let grant = try await fixture.authenticate(connection, AccessCredentials(keyPair: nil, membership: .init(key: members[2], ring: ring)), for: hash(1))
        #expect(grant.isMember && grant.identity == nil)
        #expect(try await self.verdict(fixture, peer.peer) == .admitted)

        let other = try MemberRing([members[0].publicKey, MemberKeyPair(KeyPair.generate()).publicKey])
        let (stranger, strangersConnection) = try await fixture.client()
        let stray = AccessCredentials(keyPair: stranger.identity, membership: .init(key: members[0], ring: other))
        #expect(try await fixture.refusal(strangersConnection, stray, for: hash(1)) == .notAMember)
        #expect(try await self.verdict(fixture, stranger.peer) == .refused(.notAuthorized))

        // One of the four is a member no more: what was proven before counts for the list as it was.
        try await fixture.store.setAccess(.members(of: MemberRing(members.prefix(3).map(\.publicKey))), of: hash(1))
        #expect(try await self.verdict(fixture, peer.peer) == .refused(.notAuthorized))
        // The host does not know the old ring any more, and does not ask.
        #expect(
            try await fixture.refusal(connection, AccessCredentials(keyPair: nil, membership: .init(key: members[3], ring: ring)), for: hash(1)) == .nothingToProve)
    }

    // MARK: Attacks

    /// What a program does that does not keep to the rules.
    struct RawStream {
        let messages: MessageStream

        init(_ connection: any Connection) async throws {
            let made = Mutex<MessageStream?>(nil)
            _ = try await connection.openStream(speaking: [AccessHost.protocolID]) { stream, _ in
                stream.eventLoop.makeCompletedFuture {
                    let messages = try MessageStream(on: stream, limit: 65_536, timeout: .seconds(10))
                    made.withLock { $0 = messages }
                }
            }
            self.messages = try #require(made.withLock { $0 })
        }

        func challenge(_ hello: AccessHello) async throws -> AccessChallengeMessage {
            self.messages.write(AccessCodec.encode(hello))
            return try AccessCodec.decodeChallenge(try await self.messages.read().get())
        }

        func verdict(_ response: AccessResponse) async throws -> AccessVerdict {
            self.messages.write(AccessCodec.encode(response))
            return try AccessCodec.decodeVerdict(try await self.messages.read().get())
        }
    }

    @Test("a replayed answer is refused, on the same connection and on another, and gives nothing")
    func replay() async throws {
        let fixture = try await HostFixture(policy: .authenticated)
        let (peer, connection) = try await fixture.client()
        let first = try await RawStream(connection)
        let message = try await first.challenge(AccessHello(peer: peer.peer))
        let response = try AccessExchange.answer(
            message, with: AccessCredentials(keyPair: peer.identity), host: fixture.host.peer, prover: peer.peer, channelBinding: connection.channelBinding,
            nowMilliseconds: fixture.clock.now)
        #expect(try await first.verdict(response).refusal == nil)

        let second = try await RawStream(connection)
        _ = try await second.challenge(AccessHello(peer: peer.peer))
        #expect(try await second.verdict(response).refusal == .challengeReplayed)

        let (thief, elsewhere) = try await fixture.client()
        let third = try await RawStream(elsewhere)
        let own = try await third.challenge(AccessHello(peer: thief.peer))
        #expect(try await third.verdict(response).refusal == .challengeReplayed)
        // Nor with the nonce that it was asked for.
        let fourth = try await RawStream(elsewhere)
        var forged = response
        forged.nonce = try await fourth.challenge(AccessHello(peer: thief.peer)).challenge.nonce
        #expect(try await fourth.verdict(forged).refusal == .badSignature)
        #expect(own.challenge.nonce != forged.nonce)
        #expect(try await self.verdict(fixture, thief.peer) == .refused(.authenticationRequired))
    }

    @Test("a late answer is refused")
    func late() async throws {
        let fixture = try await HostFixture(policy: .authenticated)
        let (peer, connection) = try await fixture.client()
        let stream = try await RawStream(connection)
        let message = try await stream.challenge(AccessHello(peer: peer.peer))
        fixture.clock.advance(60_000)
        let response = try AccessExchange.answer(
            message, with: AccessCredentials(keyPair: peer.identity), host: fixture.host.peer, prover: peer.peer, channelBinding: connection.channelBinding,
            nowMilliseconds: fixture.clock.now)
        #expect(try await stream.verdict(response).refusal == .challengeExpired)
    }

    @Test("a clock that is off by more than two minutes is named as the reason")
    func skew() async throws {
        let fixture = try await HostFixture(policy: .authenticated)
        let (peer, connection) = try await fixture.client()
        for (offset, refusal) in [(120_000, nil), (120_001, AccessError.clockSkew)] as [(UInt64, AccessError?)] {
            let clock = fixture.clock
            do {
                _ = try await AccessClient(nowMilliseconds: { clock.now + offset }).authenticate(on: connection, with: AccessCredentials(keyPair: peer.identity))
                #expect(refusal == nil)
            } catch {
                #expect(error as? AccessError == refusal)
            }
        }
    }

    @Test("whoever sits between and passes the challenge on is not let in, and gets no signature; nor does rewriting help")
    func manInTheMiddle() async throws {
        for rewrites in [false, true] {
            let fixture = try await HostFixture()
            let victim = try await TestPeer(on: fixture.network)
            try await fixture.store.trust(TrustedPeer(publicKey: victim.identity.publicKey))
            // The victim takes Mallory for a host of its own; Mallory hands on what the real host asks.
            let (mallory, toHost) = try await fixture.client()
            let toMallory = try await victim.connect(to: mallory)
            let streams = Mutex<[MessageStream]>([])
            mallory.swarm.register(AccessHost.protocolID) { stream, _ in
                stream.eventLoop.makeCompletedFuture {
                    let messages = try MessageStream(on: stream, limit: 65_536, timeout: .seconds(10))
                    streams.withLock { $0.append(messages) }
                }
            }
            async let attempt = fixture.refusal(toMallory, AccessCredentials(keyPair: victim.identity))
            let end = ContinuousClock.now + .seconds(30)
            while streams.withLock({ $0.isEmpty }), ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(2)) }
            let fromVictim = try #require(streams.withLock { $0.first })
            _ = try await fromVictim.read().get()
            let real = try await RawStream(toHost)
            var message = try await real.challenge(AccessHello(peer: mallory.peer))
            if rewrites { message.challenge.host = mallory.peer }
            fromVictim.write(AccessCodec.encode(message))
            if rewrites {
                let response = try AccessCodec.decodeResponse(try await fromVictim.read().get())
                #expect(try await real.verdict(response).refusal == .badSignature)
                fromVictim.write(AccessCodec.encode(AccessVerdict()))
                _ = try await attempt
            } else {
                #expect(try await attempt == .wrongHost)
            }
            #expect(try await self.verdict(fixture, mallory.peer) == .refused(.authenticationRequired))
        }
    }

    @Test("a hello in another's name is refused before anything is asked")
    func wrongName() async throws {
        let fixture = try await HostFixture()
        let (_, connection) = try await fixture.client()
        let stream = try await RawStream(connection)
        stream.messages.write(AccessCodec.encode(AccessHello(peer: fixture.host.peer)))
        #expect(try AccessCodec.decodeVerdict(try await stream.messages.read().get()).refusal == .wrongPeer)
    }

    @Test("nonsense is refused with a reason, and leaves nothing behind")
    func nonsense() async throws {
        let fixture = try await HostFixture(policy: .authenticated)
        let (peer, connection) = try await fixture.client()
        for bytes in [[], [0xff], [UInt8](repeating: 0x41, count: 500)] as [[UInt8]] {
            let stream = try await RawStream(connection)
            stream.messages.write(ByteBuffer(bytes: bytes))
            #expect(try AccessCodec.decodeVerdict(try await stream.messages.read().get()).refusal == .malformed)
            let second = try await RawStream(connection)
            _ = try await second.challenge(AccessHello(peer: peer.peer))
            second.messages.write(ByteBuffer(bytes: bytes))
            #expect(try AccessCodec.decodeVerdict(try await second.messages.read().get()).refusal == .malformed)
        }
        #expect(fixture.access.evidence(on: try await fixture.connection(to: peer.peer).id).isEmpty)
    }

    @Test("whoever tries again and again is refused for a while, and what it has proven stays")
    func attempts() async throws {
        let fixture = try await HostFixture(policy: .authenticated) { $0.attemptsPerMinute = 3 }
        let (peer, connection) = try await fixture.client()
        for _ in 0..<3 { #expect(try await fixture.refusal(connection, AccessCredentials(keyPair: peer.identity)) == nil) }
        #expect(try await fixture.refusal(connection, AccessCredentials(keyPair: peer.identity)) == .unavailable)
        #expect(try await self.verdict(fixture, peer.peer) == .admitted)
        let (other, elsewhere) = try await fixture.client()
        #expect(try await fixture.refusal(elsewhere, AccessCredentials(keyPair: other.identity)) == nil)
    }

    @Test("connections over the limit can prove nothing")
    func sessions() async throws {
        let fixture = try await HostFixture(policy: .authenticated) { $0.maximumSessionCount = 1 }
        let (first, connection) = try await fixture.client()
        #expect(try await fixture.refusal(connection, AccessCredentials(keyPair: first.identity)) == nil)
        let (second, elsewhere) = try await fixture.client()
        #expect(try await fixture.refusal(elsewhere, AccessCredentials(keyPair: second.identity)) == .unavailable)
        #expect(try await self.verdict(fixture, second.peer) == .refused(.authenticationRequired))
    }

    // MARK: The rest

    @Test("a host that does not speak the protocol, and having nothing to show, have reasons of their own")
    func reasons() async throws {
        let fixture = try await HostFixture()
        let (peer, connection) = try await fixture.client()
        #expect(try await fixture.refusal(connection, AccessCredentials(keyPair: nil)) == .nothingToProve)
        let deaf = try await TestPeer(on: fixture.network)
        let other = try await peer.connect(to: deaf)
        #expect(try await fixture.refusal(other, AccessCredentials(keyPair: peer.identity)) == .unsupported)
    }

    @Test("when the store fails everybody is refused, and told to try later")
    func storeFails() async throws {
        struct Broken: Error {}
        final class BrokenStore: AccessStore {
            func facts(about content: ContentHash, keys: [PublicKey], tokens: [AccessTokenID]) async throws -> AccessFacts { throw Broken() }
            func ring(digest: [UInt8]) async throws -> MemberRing? { throw Broken() }
            func revision() async throws -> Int64 { throw Broken() }
            func trustedPeers() async throws -> [TrustedPeer] { throw Broken() }
            func trustedPeer(_ peer: PeerID) async throws -> TrustedPeer? { throw Broken() }
            func trust(_ peer: TrustedPeer) async throws { throw Broken() }
            func removeTrusted(_ peer: PeerID) async throws -> Bool { throw Broken() }
            func access(of content: ContentHash) async throws -> ContentAccess? { throw Broken() }
            func setAccess(_ access: ContentAccess?, of content: ContentHash) async throws { throw Broken() }
            func accessLists() async throws -> [ContentHash: ContentAccess] { throw Broken() }
            func rings() async throws -> [NamedRing] { throw Broken() }
            func setRing(_ ring: MemberRing?, name: String) async throws { throw Broken() }
            func add(_ token: IssuedToken, nowMilliseconds: UInt64) async throws { throw Broken() }
            func issuedTokens() async throws -> [IssuedToken] { throw Broken() }
            func revoke(_ token: AccessTokenID, expiresMilliseconds: UInt64) async throws -> Bool { throw Broken() }
        }
        let fixture = try await HostFixture(policy: .open)
        let broken = AccessHost(identity: fixture.host.identity, policy: .open, store: BrokenStore(), logger: .init(label: "test"))
        let (peer, _) = try await fixture.client()
        #expect(await broken.verdict(for: hash(1), on: try await fixture.connection(to: peer.peer)) == .refused(.undecided))
        // A token that could not be remembered is not given away.
        await #expect(throws: Broken.self) { try await broken.issueToken(contents: [], lifetime: .seconds(1)) }
    }

    @Test("what was fetched by permission is not for everybody, unless the owner says so")
    func restricted() async throws {
        let fixture = try await HostFixture(policy: .open)
        let (peer, _) = try await fixture.client()
        #expect(try await self.verdict(fixture, peer.peer) == .admitted)
        fixture.access.restrict(hash(1))
        #expect(try await self.verdict(fixture, peer.peer) == .refused(.authenticationRequired))
        try await fixture.store.setAccess(.only([peer.peer]), of: hash(1))
        #expect(try await self.verdict(fixture, peer.peer) == .refused(.authenticationRequired))
        try await fixture.store.setAccess(nil, of: hash(1))
        fixture.access.unrestrict(hash(1))
        #expect(try await self.verdict(fixture, peer.peer) == .admitted)
    }

    @Test("a list entry must have its key")
    func entries() throws {
        let key = try KeyPair.generate()
        #expect(throws: AccessError.keyMismatch) { try TrustedPeer(peer: KeyPair.generate().peerID, publicKey: key.publicKey) }
        #expect(try TrustedPeer(peer: key.peerID, publicKey: key.publicKey).peer == key.peerID)
    }
}
