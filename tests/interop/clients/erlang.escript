#!/usr/bin/env escript
%% erlang.escript - a MAPI client on OTP's ssl; ../stacks.py has the arguments
%%
%% SPDX-License-Identifier: MPL-2.0

-define(RESPONSE, <<"LIT:monetdb:{SHA1}0123456789:sql:test:">>).

main([Address, Port, Name, CA, Version, Cert, Key, Alpn]) ->
    {ok, _} = application:ensure_all_started(ssl),
    logger:set_primary_config(level, none),
    {ok, IP} = inet:parse_address(Address),
    Options =
        [binary, {packet, raw}, {active, false},
         {verify, verify_peer},
         {server_name_indication, Name},
         {versions, [list_to_atom("tlsv" ++ Version)]},
         trusted(CA)]
        ++ [{certfile, Cert} || Cert =/= ""]
        ++ [{keyfile, Key} || Key =/= ""]
        ++ [{alpn_advertised_protocols, [list_to_binary(Alpn)]}
            || Alpn =/= ""],
    try
        {ok, Stream} = ssl:connect(IP, list_to_integer(Port), Options, 20000),
        _Challenge = read_message(Stream),
        Header = byte_size(?RESPONSE) bsl 1 bor 1,
        ok = ssl:send(Stream, [<<Header:16/little>>, ?RESPONSE]),
        io:format("~s~n", [read_message(Stream)]),
        ssl:close(Stream)
    catch
        error:{badmatch, Error} ->
            io:format(standard_error, "~p~n", [Error]),
            halt(1)
    end.

trusted("") -> {cacerts, public_key:cacerts_get()};
trusted(CA) -> {cacertfile, CA}.

read_message(Stream) ->
    {ok, <<Header:16/little>>} = ssl:recv(Stream, 2, 20000),
    {ok, Message} = ssl:recv(Stream, Header bsr 1, 20000),
    Message.
