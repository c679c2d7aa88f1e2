using System;
using System.Collections.Generic;
using System.Net;
using System.Net.Sockets;
using System.Text;
using UnityEngine;

/// <summary>Put it on any game object. OSC.md tells what to send and what comes.</summary>
public class NeuralMIDI : MonoBehaviour
{
    public event Action<int, int> NoteOn;  // pitch, velocity
    public event Action<int> NoteOff;  // pitch
    public event Action<List<object>> Notes;  // pitch, channel, ... of all that sounds: end the others
    public event Action<List<object>> Status;  // words

    readonly IPEndPoint instrument = new IPEndPoint(IPAddress.Loopback, 56120);
    UdpClient udp;
    int Port => ((IPEndPoint)udp.Client.LocalEndPoint).Port;

    void OnEnable()
    {
        udp = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));  // any port that is free
        InvokeRepeating(nameof(Follow), 0, 2);
    }

    // Again and again, so that either may be started first, and nobody is dropped.
    void Follow() => Send("/subscribe", Port);

    void OnDisable()
    {
        CancelInvoke();
        Send("/unsubscribe", Port);
        udp.Close();
    }

    void Update()
    {
        while (udp.Available > 0)
        {
            List<object> message;
            IPEndPoint sender = null;
            try { message = Decode(udp.Receive(ref sender)); }
            catch (SocketException) { continue; }  // Windows says so when nobody listens
            switch ((string)message[0])
            {
                case "/note_on": NoteOn?.Invoke((int)message[1], (int)message[2]); break;
                case "/note_off": NoteOff?.Invoke((int)message[1]); break;
                case "/notes": Notes?.Invoke(message.GetRange(1, message.Count - 1)); break;
                case "/status": Status?.Invoke(message.GetRange(1, message.Count - 1)); break;
            }
        }
    }

    /// <summary>Send int, float and string arguments: Send("/temperature", 1.4f).</summary>
    public void Send(string address, params object[] arguments)
    {
        var tags = ",";
        var data = new List<byte>();
        foreach (var argument in arguments)
        {
            tags += argument is int ? "i" : argument is float ? "f" : "s";
            if (argument is int whole) data.AddRange(BigEndian(BitConverter.GetBytes(whole)));
            else if (argument is float number) data.AddRange(BigEndian(BitConverter.GetBytes(number)));
            else data.AddRange(Padded((string)argument));
        }
        data.InsertRange(0, Padded(tags));
        data.InsertRange(0, Padded(address));
        udp.Send(data.ToArray(), data.Count, instrument);
    }

    // The address, then the arguments.
    static List<object> Decode(byte[] packet)
    {
        var place = 0;
        var message = new List<object> { Read(packet, ref place) };
        foreach (var tag in Read(packet, ref place).Substring(1))
        {
            if (tag == 's') { message.Add(Read(packet, ref place)); continue; }
            var four = new byte[4];
            Array.Copy(packet, place, four, 0, 4);
            BigEndian(four);
            message.Add(tag == 'i' ? BitConverter.ToInt32(four, 0) : (object)BitConverter.ToSingle(four, 0));
            place += 4;
        }
        return message;
    }

    static string Read(byte[] packet, ref int place)
    {
        var text = Encoding.UTF8.GetString(packet, place, Array.IndexOf(packet, (byte)0, place) - place);
        place += Padded(text).Length;
        return text;
    }

    static byte[] Padded(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Array.Resize(ref bytes, bytes.Length / 4 * 4 + 4);
        return bytes;
    }

    static byte[] BigEndian(byte[] four)
    {
        if (BitConverter.IsLittleEndian) Array.Reverse(four);
        return four;
    }
}
